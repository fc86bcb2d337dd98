/** The page's style: black on white or the reverse as the reader's system says; colours told apart by the colour-blind. */

export const style = `
:root{--ink:#1b1e23;--soft:#5b626d;--paper:#fdfdfb;--card:#fff;--rule:#dcdfe3;--bad:#b3321f;
--c0:#0b62a8;--c1:#8b4f21;--c2:#669e7a;--c3:#dc5fe4;--c4:#721c1c;--c5:#004564;--c6:#a47c13;--c7:#777588}
@media(prefers-color-scheme:dark){:root{--ink:#e4e6ea;--soft:#9aa2ae;--paper:#14161a;--card:#1b1e24;--rule:#343a43;--bad:#ee8573;
--c0:#5aa0ff;--c1:#eb8f13;--c2:#007e68;--c3:#8b37ce;--c4:#db1a2b;--c5:#1ad7f9;--c6:#e6ca91;--c7:#9b9aa1}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 Charter,"Bitstream Charter",Georgia,"DejaVu Serif",serif}
main{max-width:1120px;margin:0 auto;padding:40px 24px 80px}
h1{font-size:2rem;line-height:1.2;margin:.1em 0;overflow-wrap:anywhere}
h2{font-size:1.25rem;margin:2.4em 0 .8em;padding-bottom:.3em;border-bottom:1px solid var(--rule)}
.kicker{margin:0;letter-spacing:.08em;text-transform:uppercase;font-size:.75rem}
.kicker,.lede,.note,figcaption,.tiles span,.task,.se{color:var(--soft)}
.lede{margin:.2em 0 1.4em}
.problem{border-left:3px solid var(--bad);padding-left:12px}
table,svg,.tiles,.note,figcaption,.kicker,.lede,summary,.task{font-family:system-ui,"Segoe UI",Roboto,"Helvetica Neue","DejaVu Sans",sans-serif}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(200px,1fr));border:solid var(--rule);border-width:1px 0 0 1px}
.tiles div{border:solid var(--rule);border-width:0 1px 1px 0;background:var(--card);padding:14px 16px}
.tiles b{display:block;font-size:1.35rem;font-weight:600;font-variant-numeric:tabular-nums;white-space:nowrap}
.tiles .se{font-size:.9rem;font-weight:400}
.tiles span{font-size:.8rem}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));gap:26px 32px}
figure{margin:0;min-width:0}
figcaption{font-size:.85rem;margin-bottom:4px}
figcaption b{color:var(--ink)}
.key{white-space:nowrap;margin-left:.8em}
.key::before{content:"";display:inline-block;width:.7em;height:.7em;border-radius:50%;background:var(--c);margin-right:.35em}
svg{display:block;width:100%;height:auto;overflow:visible;font-size:11px}
svg text{fill:var(--soft);font-variant-numeric:tabular-nums}
svg text.name{fill:var(--ink);font-size:13px}
.behind{fill:var(--rule);opacity:.45}
.chart svg{cursor:crosshair;touch-action:pan-y}
.grid{stroke:var(--rule);stroke-width:1}
line.axis,.tick{stroke:var(--soft);stroke-width:1}
.cursor{stroke:var(--soft);stroke-dasharray:3 3}
path{fill:none;stroke:var(--c);stroke-linejoin:round;stroke-linecap:round}
.raw{stroke-width:1;opacity:.35}
.band{fill:var(--c);stroke:none;opacity:.18}
.bold{stroke-width:2}
.thin{stroke-width:1.5}
.faint{stroke-width:1;opacity:.55}
circle{fill:var(--c);stroke:var(--paper);stroke-width:1}
.error{stroke:var(--c);stroke-width:2}
.c0{--c:var(--c0)}.c1{--c:var(--c1)}.c2{--c:var(--c2)}.c3{--c:var(--c3)}.c4{--c:var(--c4)}.c5{--c:var(--c5)}.c6{--c:var(--c6)}.c7{--c:var(--c7)}
.d1 path{stroke-dasharray:7 5}.d2 path{stroke-dasharray:2 5}
.note{font-size:.78rem;margin:.2em 0 0;min-height:1.5em;max-width:110ch;position:relative}
.note output:not(:empty){position:absolute;z-index:2;left:0;top:0;min-width:100%;display:flex;flex-wrap:wrap;gap:0 1em;padding:2px 6px;
background:var(--card);border:1px solid var(--rule);color:var(--ink);font-variant-numeric:tabular-nums}
.note .key{margin:0}
.dots{max-width:820px;margin-bottom:20px}
.wide{overflow-x:auto;background:linear-gradient(90deg,var(--paper) 30%,transparent) 0 0/40px 100% no-repeat local,
linear-gradient(270deg,var(--paper) 30%,transparent) 100% 0/40px 100% no-repeat local,
linear-gradient(270deg,var(--rule),transparent) 100% 0/14px 100% no-repeat scroll}
table{border-collapse:collapse;font-size:.88rem;font-variant-numeric:tabular-nums}
th,td{padding:6px 12px;text-align:left;border-bottom:1px solid var(--rule);vertical-align:top}
th{font-weight:500}
.results th,.results td{white-space:nowrap}
.results th:not(:first-child),.results td{text-align:right}
.results th:first-child{position:sticky;left:0;background:var(--paper);padding-left:0}
.results thead th{color:var(--soft);vertical-align:bottom;white-space:normal}
.results{border-top:2px solid var(--ink);border-bottom:2px solid var(--ink)}
.results tfoot th,.results tfoot td{font-weight:600;border-top:1px solid var(--ink);border-bottom:0}
.se{font-weight:400;font-size:.9em}
.samples{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,330px),1fr));gap:20px}
.sample{background:var(--card);border:1px solid var(--rule);padding:14px 16px;min-width:0}
.frames{display:flex;flex-wrap:wrap;gap:4px}
.frames img{max-width:100%;width:calc(50% - 2px);background:var(--rule)}
.frames img.tiny{width:calc(25% - 3px);image-rendering:pixelated}
.task{font-size:.75rem;margin:.8em 0 0}
.question{margin:.4em 0;white-space:pre-line;overflow-wrap:anywhere}
.truth{margin:.4em 0}
.answers{width:100%}
.answers th,.answers td{padding:4px 8px 4px 0}
.answers th{color:var(--soft);white-space:nowrap;width:1%}
.answers td{overflow-wrap:anywhere}
.answers tr:last-child>*{border-bottom:0}
.answers .reward{text-align:right;white-space:nowrap;width:1%;padding-right:0}
.facts th{color:var(--soft);white-space:nowrap}
.facts td{overflow-wrap:anywhere}
details{margin-top:16px}
summary{cursor:pointer;font-size:.9rem}
pre{overflow-x:auto;background:var(--card);border:1px solid var(--rule);padding:14px;font-size:.8rem;line-height:1.45}
@media(max-width:560px){main{padding:24px 14px 60px}.facts th,.facts td{padding:6px 8px 6px 0}
.chart svg{font-size:16px}.dots svg{font-size:22px}.dots svg text.name{font-size:24px}
.tiles{grid-template-columns:1fr 1fr}.tiles div{padding:10px 12px}.tiles b{font-size:1.1rem;white-space:normal}}
@media print{main{max-width:none}figure,.sample{break-inside:avoid}}
`
