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
  const leave = () => { cursor.setAttribute('visibility', 'hidden'); output.textContent = '' }
  svg.addEventListener('pointermove', (event) => {
    const at = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse())
    const share = (at.x - chart.left) / (chart.right - chart.left)
    if (share < -0.02 || share > 1.02) return leave()
    const x = chart.x[0] + share * (chart.x[1] - chart.x[0])
    const step = chart.series[0].x[nearest(chart.series[0].x, x)]
    const place = chart.left + (step - chart.x[0]) / (chart.x[1] - chart.x[0]) * (chart.right - chart.left)
    cursor.setAttribute('x1', place); cursor.setAttribute('x2', place); cursor.setAttribute('visibility', 'visible')
    const parts = chart.series.map((s) => {
      const i = nearest(s.x, step)
      const value = s.y[i] === null ? 'not finite' : s.y[i]
      return s.label + ' ' + value + (s.x[i] === step ? '' : ' (step ' + s.x[i] + ')')
    })
    output.textContent = 'step ' + step + ': ' + parts.join(', ') + '. '
  })
  svg.addEventListener('pointerleave', leave)
}
`
