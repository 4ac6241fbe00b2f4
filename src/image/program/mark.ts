/** Stands in an image before the lengths of the user's program and policy: 12 characters. */
export const PROGRAM_MARK = "user-program";
