/**
 * The program's arguments and environment, out of the kernel's command line:
 *
 *   ballonet.reserve=512 env.NAME=VALUE .. -- ARGUMENT ..
 *
 * Blanks and percent signs in a value or an argument are written as in a URL: %20, %25.
 */

/** The program's part of a command line. */
export interface ProgramWords {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

const PREFIX = "env.";
const END = "--";

/** Returns the program's words. A word that no URL could have is taken as it stands. */
export function programWords(commandLine: string): ProgramWords {
  const words = commandLine.split(/\s+/).filter((word) => word !== "");
  const end = words.indexOf(END);
  const args = end < 0 ? [] : words.slice(end + 1).map(decoded);
  const env: Record<string, string> = Object.create(null);
  for (const word of end < 0 ? words : words.slice(0, end)) {
    const [name = "", ...rest] = word.slice(PREFIX.length).split("=");
    if (word.startsWith(PREFIX) && name !== "" && rest.length > 0) {
      env[decoded(name)] = decoded(rest.join("="));
    }
  }
  return { args, env };
}

function decoded(word: string): string {
  try {
    return decodeURIComponent(word);
  } catch {
    return word;
  }
}
