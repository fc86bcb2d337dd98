/** `vsgrpo rooms`: furnished rooms as frames or films, with questions whose answers are known. */
import { type Command, Option } from 'commander'
import { checkWritable } from '../atomic-file.js'
import { makeRooms, type QuestionKind, type RecipeName, recipes, roomKinds, writeRooms } from '../data/index.js'
import { interruptible } from '../interrupt.js'
import { addRequired, numberIn, parseTasks } from './options.js'
import { say, sayCount } from './talk.js'

interface RoomsCommandOptions {
  readonly output: string
  readonly count: number
  readonly seed: number
  readonly split: 'train' | 'dev' | 'test' | 'base'
  readonly recipe: RecipeName
  readonly format: 'png' | 'mp4'
  readonly tasks?: readonly QuestionKind[]
  readonly questionsPerRoom?: number
}

export function register(program: Command): void {
  const command = program
    .command('rooms')
    .description('make furnished rooms to train and test on: frames, and questions with answers')
  addRequired(command, '--output <dir>', 'a new folder')
  addRequired(command, '--count <n>', 'how many rooms', numberIn({ min: 1, integer: true }))
  command
    .option('--seed <n>', 'the same seed gives the same rooms', numberIn({ min: 0, integer: true }), 0)
    .addOption(
      new Option('--split <name>', 'rooms of different splits have nothing in common, whatever their seeds')
        .choices(['train', 'dev', 'test', 'base'])
        .default('train'),
    )
    .addOption(new Option('--recipe <name>', 'what the rooms look like').choices(Object.keys(recipes)).default('demo'))
    .addOption(new Option('--format <name>', 'frames, or films (needs ffmpeg)').choices(['png', 'mp4']).default('png'))
    .option('--tasks <names>', `kinds of question, with commas: ${roomKinds.join(', ')}`, parseTasks)
    .option('--questions-per-room <n>', 'default: one of each kind', numberIn({ min: 1, integer: true }))
    .addHelpText('after', help)
    .action(run)
}

async function run(options: RoomsCommandOptions): Promise<void> {
  const { output, format, tasks, ...rest } = options
  checkWritable(output)
  await interruptible(async (signal) => {
    const set = makeRooms({ ...rest, ...(tasks ? { kinds: tasks } : {}) })
    const written = await writeRooms(output, set, { format, signal, onProgress: sayCount('rooms') })
    say(`${written.questions} questions about ${written.rooms} rooms in ${output}/questions.jsonl`)
  })
}

const help = `
Writes scenes.json (every object's box, the camera's path), questions.jsonl (rows to train on) and
frames/<room>/NNN.png. The folder appears when it is whole.

Example:
  vsgrpo rooms --output rooms/train --count 2000 --seed 1
  vsgrpo rooms --output rooms/test --count 200 --seed 1 --split test`
