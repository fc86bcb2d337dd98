/** Options that TRL's and transformers' configurations have and ours do not: what to do with each. */

const curesByName: Readonly<Record<string, string>> = {
  rewardWeights: 'rewardWeights stands beside rewardFuncs, not in args',
  evalStrategy: 'leave it out: evalSteps alone says when to evaluate',
  loggingStrategy: 'leave it out: loggingSteps alone says when to log',
  optim: "the optimizer is AdamW; optimStateDtype: 'int8' is adamw_8bit",
  removeUnusedColumns: 'leave it out: every column reaches the rewards',
  maxPromptLength: 'leave it out: prompts are never cut; onUnusableRow says what becomes of those over the limit',
  peftConfig: 'lora: { r, alpha, targetModules } goes with the model',
  useVllm: 'leave it out: the engine that trains also samples',
  useLigerKernel: 'leave it out: the losses are fused already',
  gradientCheckpointingKwargs: 'leave it out: gradientCheckpointing alone says it',
  generationKwargs: 'sampling has temperature, topP, topK, minP and repetitionPenalty',
  saveOnlyModel: "leave it out, or take saveStrategy: 'no' and save the model at the end",
}

const curesByPattern: readonly (readonly [RegExp, string])[] = [
  [/^(bf16|fp16|tf32|torchDtype|bf16FullEval|modelInitKwargs)$/, "dtype: 'bfloat16' goes with the model"],
  [/^vllm/, 'leave it out: the engine that trains also samples'],
  [/^dataloader/, 'leave it out: media are read while the batch before them is learned from'],
  [/^(deepspeed|fsdp|ddp|localRank|ds3)/, 'leave it out: a run has one device'],
  [/^(pushToHub|hub)/, 'leave it out: upload the folder that the run saves'],
  [/^(disableTqdm|runName|logLevel|loggingDir)/, 'leave it out: reporters say what is written and shown'],
]

/** What an error says of an option, by its camelCase name, after what it was; undefined where nothing is known of it. */
export function cureOfForeign(name: string): string | undefined {
  const own = Object.hasOwn(curesByName, name) ? curesByName[name] : undefined
  const cure = own ?? curesByPattern.find(([pattern]) => pattern.test(name))?.[1]
  return cure === undefined ? undefined : `; ${cure}`
}
