/** Stands in an image before the length of the user's program: 12 characters. */
export const PROGRAM_MARK = "user-program";
