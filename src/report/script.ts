/** The page's only script: shows the step and values under the pointer. Without it the report reads just as well. */

export const readoutScript = `
for (const svg of document.querySelectorAll('svg[data-chart]')) {
  const chart = JSON.parse(svg.dataset.chart)
  const cursor = svg.querySelector('.cursor')
  const output = svg.parentElement.querySelector('output')
  const nearest = (xs, x) => {
    let low = 0, high = xs.length - 1
    while (high - low > 1) { const middle = (low + high) >> 1; if (xs[middle] < x) low = middle; else high = middle }
    return high > low && Math.abs(xs[high] - x) < Math.abs(xs[low] - x) ? high : low
  }
  const element = (name, text, className) => {
    const made = document.createElement(name)
    made.textContent = text
    if (className) made.className = className
    return made
  }
  const leave = () => { cursor.setAttribute('visibility', 'hidden'); output.replaceChildren() }
  svg.addEventListener('pointermove', (event) => {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse())
    const share = (at.x - chart.left) / (chart.right - chart.left)
    if (share < -0.02 || share > 1.02) return leave()
    const x = chart.x[0] + share * (chart.x[1] - chart.x[0])
    const seen = chart.series.filter((s) => !s.key.split(' ').some((name) => document.querySelector('#show-' + name + ':not(:checked)')))
    const here = seen.map((s) => s.x[nearest(s.x, x)])
    if (here.length === 0) return leave()
    const place = here.reduce((best, value) => Math.abs(value - x) < Math.abs(best - x) ? value : best)
    const cx = chart.left + (place - chart.x[0]) / (chart.x[1] - chart.x[0]) * (chart.right - chart.left)
    cursor.setAttribute('x1', cx); cursor.setAttribute('x2', cx); cursor.setAttribute('visibility', 'visible')
    const parts = seen.map((s) => {
      const i = nearest(s.x, place)
      const value = s.y[i] === null ? 'not finite' : s.y[i]
      return element('span', s.label + ' ' + value + (s.x[i] === place ? '' : ' (' + chart.unit + ' ' + s.x[i] + ')'), 'key ' + s.key)
    })
    output.replaceChildren(element('b', chart.unit + ' ' + place), ...parts)
  })
  svg.addEventListener('pointerleave', leave)
}
`
