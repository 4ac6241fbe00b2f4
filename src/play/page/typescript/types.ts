/** Reads types, which are all cut: only where they end matters. */
import type { Scanner } from "./scanner.ts";

const OPERATORS = new Set(["keyof", "readonly", "unique"]);

/** Reads a type. @throws Mismatch where none stands. */
export function readType(scanner: Scanner): void {
  readUnion(scanner);
  if (!scanner.eat("extends")) return;
  readType(scanner);
  scanner.need("?");
  readType(scanner);
  scanner.need(":");
  readType(scanner);
}

/** Reads what a function returns: a type, or what it asserts of an argument. */
export function readReturnType(scanner: Scanner): void {
  if (scanner.is("asserts") && scanner.next.kind === "name" && !scanner.next.onNewLine) {
    scanner.advance();
    if (scanner.next.text !== "is") {
      scanner.needName();
      return;
    }
  }
  if (scanner.token.kind === "name" && scanner.next.text === "is") {
    scanner.advance();
    scanner.advance();
  }
  readType(scanner);
}

/** Reads `<A, B>`. */
export function readTypeArguments(scanner: Scanner): void {
  scanner.needLetter("<");
  do readType(scanner);
  while (scanner.eat(","));
  scanner.needLetter(">");
}

/** Reads `<A extends B = C>`. */
export function readTypeParameters(scanner: Scanner): void {
  scanner.need("<");
  while (!scanner.is(">")) {
    while (/^(?:const|in|out)$/.test(scanner.token.text) && scanner.next.kind === "name") {
      scanner.advance();
    }
    scanner.needName();
    if (scanner.eat("extends")) readType(scanner);
    if (scanner.eat("=")) readType(scanner);
    if (!scanner.eat(",")) break;
  }
  scanner.needLetter(">");
}

function readUnion(scanner: Scanner): void {
  if (!scanner.eat("|")) scanner.eat("&");
  do readOperand(scanner);
  while (scanner.eat("|") || scanner.eat("&"));
}

function readOperand(scanner: Scanner): void {
  while (OPERATORS.has(scanner.token.text) && /^[\w"'`$([{]/.test(scanner.next.text)) {
    scanner.advance();
  }
  if (scanner.is("infer") && scanner.next.kind === "name") {
    scanner.advance();
    scanner.advance();
    // As in `infer A extends B ? C : D`: there the constraint ends the type.
    scanner.attempt(() => {
      scanner.need("extends");
      readUnion(scanner);
      if (scanner.is("?")) throw scanner.mismatch("a constraint");
    });
    return;
  }
  readPrimary(scanner);
  while (scanner.is("[") && !scanner.token.onNewLine) scanner.skipBrackets();
}

function readPrimary(scanner: Scanner): void {
  const { kind, text } = scanner.token;
  if (text === "abstract" && scanner.next.text === "new") scanner.advance();
  if (scanner.is("new") || text === "(" || text === "<") readFunction(scanner);
  else if (text === "{" || text === "[") scanner.skipBrackets();
  else if (text === "`") scanner.template(() => readType(scanner));
  else if (text === "-" || kind === "string" || kind === "number") {
    scanner.advance();
    if (text === "-") scanner.advance();
  } else readReference(scanner);
}

/** A function's type, or one in brackets. */
function readFunction(scanner: Scanner): void {
  scanner.eat("new");
  const isGeneric = scanner.is("<");
  if (isGeneric) readTypeParameters(scanner);
  if (!scanner.is("(")) throw scanner.mismatch('"("');
  scanner.skipBrackets();
  if (scanner.eat("=>")) readReturnType(scanner);
  else if (isGeneric) throw scanner.mismatch('"=>"');
}

function readReference(scanner: Scanner): void {
  if (scanner.is("typeof")) scanner.advance();
  const { text } = scanner.needName();
  if (text === "import") scanner.skipBrackets();
  while (scanner.eat(".")) scanner.needName();
  if (scanner.is("<") && !scanner.token.onNewLine) readTypeArguments(scanner);
}
