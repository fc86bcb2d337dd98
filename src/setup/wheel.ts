/**
 * What is taken from a torch wheel. PyPI's Linux wheel is usually the CUDA build, whose libtorch_cpu also needs libcudart
 * and libcupti; those lie in NVIDIA wheels that the torch wheel's METADATA names.
 */

/** Members of a torch wheel (or of the official libtorch zip) that are linked or included, without the leading folder. */
export const TORCH_MEMBERS =
  '^(?:torch|libtorch)/(include/.*|lib/(?:libtorch_cpu|libc10|libgomp)(?:-[0-9a-f]+)?[.]so[^/]*)$'

/** The same for CUDA, with the folder, and with the libraries that run on a GPU; without what only Python loads. */
export const CUDA_TORCH_MEMBERS = '^(torch/(?:include/.*|lib/lib(?!torch_python|shm)[^/]*[.]so[^/]*))$'

/** Libraries of the NVIDIA wheels, with the folder: libtorch_cuda's run path expects `nvidia/` beside `torch/`. */
export const CUDA_NVIDIA_MEMBERS = '^(nvidia/.*/lib/lib[^/]*[.]so[^/]*)$'

/** Members of the NVIDIA wheels; they are placed beside libtorch_cpu, whose run path is its own folder. */
export const NVIDIA_MEMBERS = '^nvidia/.*/(lib/lib(?:cudart|cupti)[.]so[^/]*)$'

/**
 * The pip requirements that bring libcudart and libcupti for a torch wheel: none for a CPU build, else the pins that its
 * METADATA has for them, directly (nvidia-cuda-runtime…, nvidia-cuda-cupti…) or as extras of cuda-toolkit.
 */
export function nvidiaRequirements(metadata: string): string[] {
  const found: string[] = []
  for (const line of metadata.split(/\r?\n/)) {
    const requirement = /^Requires-Dist:\s*([^;]+)/.exec(line)?.[1]?.trim()
    if (!requirement || /;.*\bextra\s*==/.test(line)) continue
    if (/^nvidia-cuda-(runtime|cupti)(-cu\d+)?\b/.test(requirement)) found.push(requirement.replace(/\s+/g, ''))
    const toolkit = /^cuda-toolkit\s*\[([^\]]*)\]\s*(.*)$/.exec(requirement)
    if (!toolkit) continue
    const extras = (toolkit[1] ?? '').split(',').map((extra) => extra.trim())
    const wanted = extras.filter((extra) => extra === 'cudart' || extra === 'cupti')
    if (wanted.length > 0) found.push(`cuda-toolkit[${wanted.join(',')}]${(toolkit[2] ?? '').replace(/[\s()]+/g, '')}`)
  }
  return found
}

/** The pip requirements that bring every NVIDIA library that a torch wheel for CUDA links. */
export function cudaRequirements(metadata: string): string[] {
  return metadata.split(/\r?\n/).flatMap((line) => {
    const requirement = /^Requires-Dist:\s*((?:nvidia-|cuda-toolkit\b)[^;]*)/.exec(line)?.[1]
    if (!requirement || /;.*\bextra\s*==/.test(line)) return []
    return [requirement.replace(/[\s()]+/g, '')]
  })
}

/**
 * Python that unpacks members of a zip: argv = archive, folder, pattern whose first group is the path below the folder.
 * Prints the wheel's METADATA when it has one, so that one call does both.
 */
export const UNPACK_SCRIPT = `
import os, re, shutil, sys, zipfile
archive, folder, pattern = sys.argv[1:4]
pattern = re.compile(pattern)
with zipfile.ZipFile(archive) as z:
    for member in z.infolist():
        match = pattern.match(member.filename)
        if not match or member.is_dir():
            continue
        path = os.path.join(folder, match.group(1))
        if '..' in path.split(os.sep):
            sys.exit('unsafe path in archive: ' + member.filename)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with z.open(member) as source, open(path, 'wb') as target:
            shutil.copyfileobj(source, target, 1 << 20)
    for name in z.namelist():
        if name.count('/') == 1 and name.endswith('.dist-info/METADATA'):
            sys.stdout.write(z.read(name).decode('utf-8'))
`
