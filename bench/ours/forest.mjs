/** Forests of segments as the engine reads them: packed from one prompt, and with nothing shared. Pure. */

/**
 * One segment each, the completions below the prompt. A completion's last token is only predicted, its first from the
 * prompt's last row.
 * @param {import('vsgrpo').Prompt} prompt
 * @param {readonly Int32Array[]} completions
 * @returns {import('../../src/batch.js').PackedSequences}
 */
export function pack(prompt, completions) {
  const bodies = completions.map((ids) => ids.subarray(0, ids.length - 1))
  const segments = [prompt.ids, ...bodies]
  const offsets = starts(segments)
  const length = prompt.ids.length
  const positions = [0, 1, 2].flatMap((c) => [
    prompt.positions.subarray(c * length, (c + 1) * length),
    ...bodies.map((ids) => ids.map((_, t) => prompt.nextPosition + t)),
  ])
  const rows = completions.map((ids, i) => ids.map((_, t) => (t === 0 ? length - 1 : offsets[i + 1] + t - 1)))
  return {
    batch: {
      ids: concatenate(Int32Array, segments),
      offsets,
      parents: Int32Array.from(segments, (_, s) => (s === 0 ? -1 : 0)),
      positions: concatenate(Int32Array, positions),
      media: prompt.media,
    },
    targets: { rows: concatenate(Int32Array, rows), ids: concatenate(Int32Array, completions) },
    offsets: starts(completions),
  }
}

/**
 * Texts with nothing shared, each of whose tokens but the first is predicted.
 * @param {readonly Int32Array[]} texts
 * @returns {import('../../src/batch.js').PackedSequences}
 */
export function packWhole(texts) {
  const offsets = starts(texts)
  const steps = concatenate(
    Int32Array,
    texts.map((ids) => ids.map((_, t) => t)),
  )
  const rows = texts.map((ids, s) => ids.subarray(1).map((_, t) => offsets[s] + t))
  return {
    batch: {
      ids: concatenate(Int32Array, texts),
      offsets,
      parents: new Int32Array(texts.length).fill(-1),
      positions: concatenate(Int32Array, [steps, steps, steps]),
      media: [],
    },
    targets: {
      rows: concatenate(Int32Array, rows),
      ids: concatenate(
        Int32Array,
        texts.map((ids) => ids.subarray(1)),
      ),
    },
    offsets: starts(rows),
  }
}

/**
 * A forest in which every leaf has all that it shares with others to itself, as one segment. Targets keep their order.
 * @param {import('../../src/batch.js').PackedBatch} batch
 * @param {import('../../src/native.js').Targets} targets
 */
export function unshare(batch, targets) {
  const { ids, offsets, parents, positions } = batch
  const total = ids.length
  const media = mediaOfSegments(batch)
  const leaves = [...parents.keys()].filter((segment) => !parents.includes(segment))
  const chains = leaves.map((leaf) => chainOf(leaf, parents))
  const rows = chains.map((chain) => chain.flatMap((s) => range(offsets[s], offsets[s + 1])))
  const all = rows.flat()
  const items = chains.flatMap((chain) => chain.flatMap((s) => media[s]))
  const begins = starts(rows)
  return {
    batch: {
      ids: Int32Array.from(all, (row) => ids[row]),
      offsets: begins,
      parents: new Int32Array(leaves.length).fill(-1),
      positions: Int32Array.from([0, 1, 2].flatMap((c) => all.map((row) => positions[c * total + row]))),
      media: items,
    },
    targets: { ids: targets.ids, rows: moveTargets(targets.rows, rows, begins) },
  }
}

/** From the root to the leaf. */
function chainOf(leaf, parents) {
  const chain = []
  for (let segment = leaf; segment >= 0; segment = parents[segment]) chain.unshift(segment)
  return chain
}

/**
 * Rows of the targets in the new batch. Targets come leaf after leaf, so the k-th time that a shared row is asked for, it
 * is for the k-th leaf that has it.
 */
function moveTargets(targetRows, rows, begins) {
  const places = new Map()
  rows.forEach((own, leaf) => {
    own.forEach((row, t) => {
      const known = places.get(row)
      if (known) known.push(begins[leaf] + t)
      else places.set(row, [begins[leaf] + t])
    })
  })
  return Int32Array.from(targetRows, (row) => places.get(row).shift())
}

/** The media whose placeholders stand in each segment: the batch's media are in the order of their placeholders. */
function mediaOfSegments({ ids, offsets, media }) {
  const isPlaceholder = (id) => id === 151655 || id === 151656
  let next = 0
  return Array.from({ length: offsets.length - 1 }, (_, s) => {
    const found = []
    let left = ids.subarray(offsets[s], offsets[s + 1]).filter(isPlaceholder).length
    while (left > 0) {
      const item = media[next++]
      found.push(item)
      left -= (item.grid[0] * item.grid[1] * item.grid[2]) / 4
    }
    return found
  })
}

function range(begin, end) {
  return Array.from({ length: end - begin }, (_, i) => begin + i)
}

/**
 * [n + 1] where each of the arrays begins when they are laid end to end.
 * @param {readonly ArrayLike<unknown>[]} arrays
 */
export function starts(arrays) {
  const begins = new Int32Array(arrays.length + 1)
  arrays.forEach(({ length }, i) => {
    begins[i + 1] = begins[i] + length
  })
  return begins
}

/**
 * @template {Int32Array | Float32Array} T
 * @param {new (length: number) => T} Kind
 * @param {readonly T[]} parts
 */
function concatenate(Kind, parts) {
  const begins = starts(parts)
  const joined = new Kind(begins[parts.length])
  parts.forEach((part, i) => {
    joined.set(part, begins[i])
  })
  return joined
}
