/** The `vsgrpo` program: its commands, its help, and how it ends. Each command's file is loaded when it is called or listed. */
import { Command } from 'commander'
import { didYouMean } from '../errors.js'
import { version } from '../version.js'
import { exitCodeOf, reportError } from './exit.js'
import { checkNotEmpty } from './options.js'

interface CommandModule {
  register(program: Command): void
}

/** Where text goes; process.stdout and process.stderr by default. */
export interface Streams {
  out(text: string): void
  err(text: string): void
}

/** In the order of `--help`. */
const commands: Readonly<Record<string, () => Promise<CommandModule>>> = {
  setup: () => import('./setup.js'),
  doctor: () => import('./doctor.js'),
  grpo: () => import('./grpo.js'),
  sft: () => import('./sft.js'),
  dpo: () => import('./dpo.js'),
  plan: () => import('./plan.js'),
  generate: () => import('./generate.js'),
  score: () => import('./score.js'),
  eval: () => import('./eval.js'),
  questions: () => import('./questions.js'),
  rooms: () => import('./rooms.js'),
  report: () => import('./report.js'),
}

const footer = `
First steps:
  vsgrpo setup                              find or fetch libtorch and build the engine (once)
  vsgrpo doctor                             see what is missing, and the command that fixes it
  vsgrpo rooms --output rooms --count 20    make furnished rooms with questions to train on
  vsgrpo grpo config.yaml                   train; --key value overrides an option of the file

\`vsgrpo <command> --help\` explains a command. Data goes to stdout, messages to stderr.`

/** Runs one command line and returns its exit code: 0 ok, 1 failure, 2 usage or bad input, 130 interrupted (129 by a closed terminal). */
export async function runCommandLine(args: readonly string[], streams: Streams = processStreams): Promise<number> {
  try {
    const program = createProgram(streams, args[0])
    await registerCommands(program, args[0])
    if (args.length === 0) {
      program.outputHelp({ error: true })
      return 2
    }
    await program.parseAsync([...args], { from: 'user' })
    return Number(process.exitCode ?? 0)
  } catch (error) {
    reportError(error, (line) => streams.err(`${line}\n`), process.env)
    return exitCodeOf(error)
  }
}

/** Commands that are registered on it take over its way to write and to fail. */
function createProgram(streams: Streams, name = ''): Command {
  const program = new Command('vsgrpo')
  return program
    .description('Train Qwen2-VL with GRPO on images and videos, with rewards of your own.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .addHelpText('after', footer)
    .showSuggestionAfterError(false)
    .configureOutput({
      writeOut: (text) => streams.out(text),
      writeErr: (text) => streams.err(text),
      outputError: (text, write) => write(`${withCure(text.trim().replace(/\s*\n\s*/g, ' '), program, name)}\n`),
    })
    .hook('preAction', (_, command) => checkNotEmpty(command))
    .exitOverride()
}

/** commander says what is wrong; what would be right is a name near to a mistyped one, or stands in the help. */
function withCure(text: string, program: Command, name: string): string {
  const [, what, given = ''] = /unknown (command|option) '(.*)'$/.exec(text) ?? []
  const names = Object.keys(commands)
  if (what === 'command') return `${text}${didYouMean(given, names, { all: names.join(', ') })}`
  if (what === undefined && /Allowed choices|Expected [^0-9]/.test(text)) return text
  const called = program.commands.find((command) => command.name() === name)
  const near = what === 'option' ? didYouMean(given.replace(/=.*/, ''), flagsOf(called ?? program)) : ''
  return near ? `${text}${near}` : `${text.replace(/\.$/, '')}; see vsgrpo ${called ? `${name} ` : ''}--help`
}

/** The long names of a command's options, --help among them. */
function flagsOf(command: Command): string[] {
  return command
    .createHelp()
    .visibleOptions(command)
    .flatMap(({ long }) => long ?? [])
}

/** Only the command that is called, so that `vsgrpo setup` does not load the trainer; all of them for help and mistakes. */
async function registerCommands(program: Command, name = ''): Promise<void> {
  const called = Object.hasOwn(commands, name) ? commands[name] : undefined
  const modules = await Promise.all((called ? [called] : Object.values(commands)).map((load) => load()))
  for (const module of modules) module.register(program)
}

const processStreams: Streams = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
}
