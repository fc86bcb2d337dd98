/**
 * Makes the study's base checkpoint: the demo's base with a vocabulary of all kinds of questions, warm-started by supervised
 * training on rooms of another distribution than the study's, in all three modes.
 *
 *   node examples/study/run.mjs make-base
 *
 * writes runs/study-base/model; examples/study/base is a copy of it, examples/study/base-training.log what the run said.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { loadModel, progress, runFolder, type SFTConfig, SFTTrainer } from 'vsgrpo'
import { makeRooms, type RoomSet, randomStream, roomExamples } from 'vsgrpo/data'
import { writeInitialCheckpoint } from '../demo/init-checkpoint.js'
import { trainTokenizer } from '../demo/make-tokenizer.js'
import { readBaseFlags } from './flags.mjs'
import { graft } from './graft.js'
import { modes, promptText } from './modes.js'
import { asRow, mediaKey, type StudyRow, withFrames } from './room-rows.js'
import { baseRooms, testedKinds } from './rooms.js'
import { shownAnswer } from './thoughts.js'

const vocabSize = 1000
/** Of ten questions, how many are asked in each mode. */
const shares = { vanilla: 6, think: 2, observe: 2 }
/** Of the questions that ask for thoughts, this part shows them; the rest only answers. So the form is left to be learned. */
const shownShare = 0.5
const roomsPerStep = 16

const sftArgs: SFTConfig = {
  perDeviceTrainBatchSize: roomsPerStep * testedKinds.length,
  promptsPerMedia: testedKinds.length,
  tokensPerMicroBatch: 100_000,
  learningRate: 1e-3,
  warmupSteps: 50,
  lrSchedulerType: 'cosine',
  saveSteps: 200,
  saveTotalLimit: 1,
}

/** Runs the whole recipe; the exit code. */
export async function makeBase(args: readonly string[], root: string): Promise<number> {
  const { output, rooms, steps, resume } = readBaseFlags(args)
  const set = makeRooms({ recipe: baseRooms, split: 'base', count: rooms, kinds: testedKinds })
  const rows = warmUpRows(set)
  const initial = join(output, 'initial')
  if (!resume) {
    await rm(output, { recursive: true, force: true })
    await writeInitialCheckpoint(initial, trainTokenizer(rows.map(textOf), vocabSize), 0)
    graft(join(root, 'examples/demo/base'), initial)
  }
  const policy = await loadModel(initial, { dtype: 'float32' })
  const { dataset, encode } = withFrames(set, rows)
  const run = join(output, 'run')
  const trainer = new SFTTrainer({
    model: policy,
    trainDataset: dataset,
    encode,
    mediaKey,
    args: { ...sftArgs, outputDir: run, maxSteps: steps, seed: 0 },
    reporters: [runFolder(run), progress()],
  })
  await trainer.train({ resumeFromCheckpoint: resume })
  await policy.save(join(output, 'float32'))
  policy.dispose()
  await roundToBfloat16(join(output, 'float32'), join(output, 'model'))
  return 0
}

/** One row per question, in a mode drawn for it. */
function warmUpRows(set: RoomSet): StudyRow[] {
  const drawn = modes.flatMap((mode) => Array.from({ length: shares[mode] }, () => mode))
  return set.rooms.flatMap((room) => {
    const random = randomStream('warm-up', room.name)
    return roomExamples(set, room, room.name).map((row) => {
      const mode = random.pick(drawn)
      const isShown = random.next() < shownShare
      return { ...asRow(row, mode), completion: isShown ? shownAnswer(row, room, mode) : row.answer }
    })
  })
}

/** What the tokenizer is trained on: all that a conversation about the row contains, in every mode. */
function textOf(row: StudyRow): string {
  const questions = modes.map((mode) => promptText(row, mode)).join('')
  return `You are a helpful assistant.\nuser\nassistant\nsystem\n${questions}${row.completion}`
}

/** Half the size in the repository; the engine computes in float32 all the same. */
async function roundToBfloat16(from: string, to: string): Promise<void> {
  const model = await loadModel(from, { dtype: 'bfloat16', trainable: false })
  await model.save(to)
  model.dispose()
}
