/** What the page of a comparison adds to the style of reports. */

export const compareStyle = `
h3{font-size:1rem;margin:2em 0 .8em}
.keys{position:sticky;top:0;z-index:3;display:flex;flex-wrap:wrap;gap:2px 1.2em;max-height:7.5em;overflow:auto;background:var(--paper);
border-bottom:1px solid var(--rule);padding:8px 0;margin-bottom:10px;font:.85rem/1.5 system-ui,"Segoe UI",Roboto,"Helvetica Neue","DejaVu Sans",sans-serif}
.keys .key{margin:0;cursor:pointer;max-width:100%;overflow:hidden;text-overflow:ellipsis}
.keys input{accent-color:var(--c);margin:0 .4em 0 0;vertical-align:-.1em}
.over .key::before,th .key::before{width:1.5em;height:0;border-radius:0;background:none;border-top:3px solid var(--c);vertical-align:.25em}
.over .key.d1::before,th .key.d1::before{border-top-style:dashed}
.over .key.d2::before,th .key.d2::before{border-top-style:dotted}
.over .note output:not(:empty){flex-direction:column}
.over details .charts{margin-top:16px}
th .key{margin:0}
.results .below th{padding-left:2.6em;font-weight:400}
.results .below *{color:var(--soft)}
.results thead th{white-space:nowrap}
.results .of{display:block;width:max-content;max-width:24em;white-space:normal;overflow-wrap:anywhere}
.results .of.key{padding-left:2em;text-indent:-2em}
.results.words td,.results.words thead th{text-align:left;white-space:normal;overflow-wrap:anywhere;min-width:7em}
.samples.wider{grid-template-columns:repeat(auto-fill,minmax(min(100%,420px),1fr))}
.answers p{margin:0}
.answers td .reward{color:var(--soft);margin-left:.6em}
.answers th .se{display:block;margin-left:2.2em}
@media(max-width:560px){.keys{max-height:6.2em}.results .of{max-width:10em}.answers th{white-space:normal;width:42%;overflow-wrap:anywhere}}
@media print{.keys{position:static;max-height:none}.keys input{display:none}}
`

/** An unticked box hides the curves of its run, without a script. */
export function hidingStyle(groups: number): string {
  const rules = Array.from({ length: groups }, (_, i) => `main:has(#show-r${i}:not(:checked)) svg .r${i}`)
  return rules.length > 0 ? `${rules.join(',')}{display:none}` : ''
}
