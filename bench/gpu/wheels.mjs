/** Which requirements of a wheel a machine lacks. Pure. */

/**
 * The names and versions that METADATA asks for on Linux, without extras.
 * @param {string} metadata
 */
export function requirementsOf(metadata) {
  return metadata.split(/\r?\n/).flatMap((line) => {
    const [, requirement = '', condition = ''] = /^Requires-Dist:\s*([^;]+)(?:;(.*))?$/.exec(line) ?? []
    if (requirement === '' || isElsewhere(condition)) return []
    return [requirement.replace(/\[[^\]]*\]/, '').replace(/[\s()]+/g, '')]
  })
}

/** Conditions that do not hold there: extras, other systems, and Pythons before 3.12. */
function isElsewhere(condition) {
  return /extra\s*==|sys_platform\s*==\s*["']win32|platform_system\s*==\s*["']Windows|python_version\s*<\s*["']3\.(\d|1[0-2])["']/.test(
    condition,
  )
}

/**
 * Those that are not among the names of what is present.
 * @param {readonly string[]} requirements
 * @param {readonly string[]} present
 */
export function missingOf(requirements, present) {
  const have = new Set(present.map(normal))
  return requirements.filter((requirement) => !have.has(normal(/^[\w.-]+/.exec(requirement)?.[0] ?? '')))
}

/** Names are equal whatever their case and separators: https://packaging.python.org/en/latest/specifications/name-normalization/ */
function normal(name) {
  return name.toLowerCase().replace(/[-_.]+/g, '-')
}
