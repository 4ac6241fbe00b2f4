/**
 * Takes the types out of a script: blanks stand where they stood, so that lines and columns stay.
 * The grammar is read as far as it takes to know where a type begins: precedence does not matter.
 */
import { Mismatch, Scanner } from "./scanner.ts";
import { readReturnType, readType, readTypeArguments, readTypeParameters } from "./types.ts";

/** TypeScript that has code of its own, or that only a module has. */
export class NotStrippable extends Error {}

const PREFIXES = new Set(["!", "~", "+", "-", "++", "--", "...", "typeof", "void", "delete"]);
const LATE_PREFIXES = new Set(["await", "yield", "new"]);
const BINARY = new Set(
  (
    "- + * / % & | ^ = < > ** << >> >>> && || ?? == != === !== <= >= in instanceof " +
    "-= += *= /= %= &= |= ^= **= <<= >>= >>>= &&= ||= ??="
  ).split(" "),
);
const MODIFIERS = /^(?:public|private|protected|readonly|override|abstract|declare)$/;
const PARAMETER_MODIFIERS = /^(?:public|private|protected|readonly|override)$/;
const KEY = /^(?:name|string|number)$/;

/**
 * Returns the script as JavaScript. What it cannot read it returns as it is: then its engine says
 * what is wrong.
 * @throws NotStrippable for an enum, a namespace, a parameter property, an import or an export.
 */
export function stripTypes(source: string): string {
  const script = new Script(source);
  try {
    return script.strip();
  } catch (error) {
    if (error instanceof Mismatch) return source;
    throw error;
  }
}

class Script {
  private readonly scanner: Scanner;

  constructor(source: string) {
    this.scanner = new Scanner(source);
  }

  strip(): string {
    while (this.scanner.token.kind !== "end") this.statement();
    return this.scanner.rest();
  }

  private refuse(what: string, todo: string): never {
    const { scanner } = this;
    throw new NotStrippable(`${scanner.place(scanner.token.start)}: ${what} here; ${todo}`);
  }

  private statement(): void {
    const { scanner } = this;
    if (scanner.eat(";")) return;
    if (scanner.is("{")) this.block();
    else if (scanner.token.kind !== "name") this.expressionStatement();
    else if (!this.typeStatement()) this.namedStatement();
  }

  private namedStatement(): void {
    const { scanner } = this;
    const { token, next } = scanner;
    const act = this.statements[token.text];
    const isUsing = token.text === "using" && next.kind === "name" && !next.onNewLine;
    if (act !== undefined) act();
    else if (token.text === "async" && next.text === "function" && !next.onNewLine) {
      this.functionStatement();
    } else if (next.text === ":") {
      scanner.advance();
      scanner.advance();
      this.statement();
    } else if (token.text === "await" && next.text === "using") {
      scanner.advance();
      this.declarations();
    } else if (isUsing) this.declarations();
    else this.expressionStatement();
  }

  private readonly statements: Readonly<Record<string, () => void>> = Object.assign(
    Object.create(null),
    {
      var: () => this.declarations(),
      let: () => this.declarations(),
      const: () => this.declarations(),
      function: () => this.functionStatement(),
      class: () => this.classRest(),
      if: () => {
        this.headed();
        if (this.scanner.eat("else")) this.statement();
      },
      while: () => this.headed(),
      with: () => this.headed(),
      for: () => this.forStatement(),
      do: () => {
        this.scanner.advance();
        this.statement();
        this.scanner.need("while");
        this.parenthesized();
        this.scanner.eat(";");
      },
      switch: () => this.switchStatement(),
      try: () => this.tryStatement(),
      return: () => this.jump(),
      throw: () => this.jump(),
      break: () => this.jump(),
      continue: () => this.jump(),
      debugger: () => this.jump(),
      export: () => this.refuse("a script exports nothing", "leave `export` out"),
    },
  );

  /** Cuts an interface, a type or a declaration. Returns whether one was there. */
  private typeStatement(): boolean {
    const { scanner } = this;
    const { text, start } = scanner.token;
    const { next } = scanner;
    if (text === "import" && next.text !== "(" && next.text !== ".") {
      this.refuse("a script imports nothing", "use what `machine` has");
    }
    const isConstEnum = text === "const" && next.text === "enum";
    if (isConstEnum) this.refuse("an enum has code of its own", "write an object");
    if (next.kind !== "name" || next.onNewLine) return false;
    if (text === "enum") this.refuse("an enum has code of its own", "write an object");
    if (text === "namespace" || text === "module") {
      this.refuse("a namespace has code of its own", "write an object");
    }
    if (text === "abstract" && next.text === "class") {
      scanner.advance();
      scanner.cut(start);
      this.classRest();
      return true;
    }
    if (text === "declare") scanner.advance();
    else if (text !== "interface" && text !== "type") return false;
    this.declaredType();
    scanner.cut(start, { first: ";" });
    return true;
  }

  private declaredType(): void {
    const { scanner } = this;
    if (scanner.eat("interface")) {
      scanner.needName();
      if (scanner.is("<")) readTypeParameters(scanner);
      if (scanner.eat("extends")) this.readTypes();
      if (!scanner.is("{")) throw scanner.mismatch('"{"');
      scanner.skipBrackets();
    } else if (scanner.eat("type")) {
      scanner.needName();
      if (scanner.is("<")) readTypeParameters(scanner);
      scanner.need("=");
      readType(scanner);
      this.semicolon();
    } else if (/^(?:global|namespace|module)$/.test(scanner.token.text)) {
      while (!scanner.is("{") && scanner.token.kind !== "end") scanner.advance();
      scanner.skipBrackets();
    } else this.statement();
  }

  private readTypes(): void {
    do readType(this.scanner);
    while (this.scanner.eat(","));
  }

  private block(): void {
    const { scanner } = this;
    scanner.need("{");
    while (!scanner.eat("}")) {
      if (scanner.token.kind === "end") throw scanner.mismatch('"}"');
      this.statement();
    }
  }

  private semicolon(): void {
    const { scanner } = this;
    if (scanner.eat(";")) return;
    const { kind, onNewLine } = scanner.token;
    if (!(scanner.is("}") || kind === "end" || onNewLine)) throw scanner.mismatch('";"');
  }

  private expressionStatement(): void {
    this.expression();
    this.semicolon();
  }

  private jump(): void {
    const { scanner } = this;
    scanner.advance();
    const { kind, onNewLine } = scanner.token;
    if (!(onNewLine || kind === "end" || scanner.is(";") || scanner.is("}"))) this.expression();
    this.semicolon();
  }

  private parenthesized(): void {
    this.scanner.need("(");
    this.expression();
    this.scanner.need(")");
  }

  private headed(): void {
    this.scanner.advance();
    this.parenthesized();
    this.statement();
  }

  private forStatement(): void {
    const { scanner } = this;
    scanner.advance();
    scanner.eat("await");
    scanner.need("(");
    if (/^(?:var|let|const)$/.test(scanner.token.text)) {
      scanner.advance();
      this.declarators();
    } else if (!scanner.is(";")) this.expression();
    if (scanner.eat("of") || scanner.eat("in")) this.expression();
    else {
      scanner.need(";");
      if (!scanner.is(";")) this.expression();
      scanner.need(";");
      if (!scanner.is(")")) this.expression();
    }
    scanner.need(")");
    this.statement();
  }

  private switchStatement(): void {
    const { scanner } = this;
    scanner.advance();
    this.parenthesized();
    scanner.need("{");
    while (!scanner.eat("}")) {
      if (scanner.eat("case")) {
        this.expression();
        scanner.need(":");
      } else if (scanner.eat("default")) scanner.need(":");
      else if (scanner.token.kind === "end") throw scanner.mismatch('"}"');
      else this.statement();
    }
  }

  private tryStatement(): void {
    const { scanner } = this;
    scanner.advance();
    this.block();
    if (scanner.eat("catch")) {
      if (scanner.eat("(")) {
        this.binding();
        this.annotation();
        scanner.need(")");
      }
      this.block();
    }
    if (scanner.eat("finally")) this.block();
  }

  private declarations(): void {
    this.scanner.advance();
    this.declarators();
    this.semicolon();
  }

  private declarators(): void {
    const { scanner } = this;
    do {
      this.binding();
      this.annotation();
      if (scanner.eat("=")) this.assignment();
    } while (scanner.eat(","));
  }

  private binding(): void {
    const { scanner } = this;
    if (scanner.eat("[")) this.bindings("]", () => this.binding());
    else if (scanner.eat("{")) {
      this.bindings("}", () => {
        this.key();
        if (scanner.eat(":")) this.binding();
      });
    } else scanner.needName();
  }

  private bindings(closing: string, one: () => void): void {
    const { scanner } = this;
    while (!scanner.eat(closing)) {
      if (scanner.eat(",")) continue;
      if (scanner.eat("...")) this.binding();
      else one();
      if (scanner.eat("=")) this.assignment();
      if (!scanner.is(closing)) scanner.need(",");
    }
  }

  /** Cuts `?: type`, `!: type` or `: type`. */
  private annotation(): void {
    const { scanner } = this;
    const { start } = scanner.token;
    if (!scanner.eat("?")) scanner.eat("!");
    if (scanner.eat(":")) readType(scanner);
    scanner.cut(start);
  }

  private key(): void {
    const { scanner } = this;
    if (scanner.eat("[")) {
      this.assignment();
      scanner.need("]");
    } else if (KEY.test(scanner.token.kind)) scanner.advance();
    else throw scanner.mismatch("a name");
  }

  private functionStatement(): void {
    const { start } = this.scanner.token;
    if (!this.functionRest()) {
      this.semicolon();
      this.scanner.cut(start, { first: ";" });
    }
  }

  /** Returns whether there was a body. */
  private functionRest(): boolean {
    const { scanner } = this;
    scanner.eat("async");
    scanner.need("function");
    scanner.eat("*");
    if (!scanner.is("(") && !scanner.is("<")) scanner.needName();
    return this.signatureAndBody();
  }

  private signatureAndBody(): boolean {
    this.typeParameters();
    this.parameters();
    this.returnType(true);
    if (!this.scanner.is("{")) return false;
    this.block();
    return true;
  }

  private typeParameters(): void {
    const { scanner } = this;
    if (!scanner.is("<")) return;
    const { start } = scanner.token;
    readTypeParameters(scanner);
    scanner.cut(start);
  }

  /** Returns whether there was one. */
  private returnType(keepsLines: boolean): boolean {
    const { scanner } = this;
    const { start } = scanner.token;
    if (!scanner.eat(":")) return false;
    readReturnType(scanner);
    scanner.cut(start, { keepsLines });
    return true;
  }

  private parameters(): void {
    const { scanner } = this;
    scanner.need("(");
    while (!scanner.eat(")")) {
      const { start, text } = scanner.token;
      if (PARAMETER_MODIFIERS.test(text) && scanner.next.kind === "name") {
        this.refuse("a parameter property has code of its own", "assign it in the body");
      }
      if (text === "this") {
        scanner.advance();
        scanner.need(":");
        readType(scanner);
        scanner.eat(",");
        scanner.cut(start);
        continue;
      }
      scanner.eat("...");
      this.binding();
      this.annotation();
      if (scanner.eat("=")) this.assignment();
      if (!scanner.is(")")) scanner.need(",");
    }
  }

  private classRest(): void {
    const { scanner } = this;
    scanner.need("class");
    if (scanner.token.kind === "name" && !/^(?:extends|implements)$/.test(scanner.token.text)) {
      scanner.advance();
    }
    this.typeParameters();
    if (scanner.eat("extends")) this.primary();
    const { start } = scanner.token;
    if (scanner.eat("implements")) {
      this.readTypes();
      scanner.cut(start);
    }
    scanner.need("{");
    while (!scanner.eat("}")) this.member();
  }

  private member(): void {
    const { scanner } = this;
    if (scanner.eat(";")) return;
    if (scanner.is("static") && scanner.next.text === "{") {
      scanner.advance();
      this.block();
      return;
    }
    const { start } = scanner.token;
    const isBodiless = this.modifiers();
    if (this.indexSignature()) {
      scanner.cut(start);
      return;
    }
    scanner.eat("*");
    this.key();
    const mark = scanner.token;
    if (scanner.eat("?") || scanner.eat("!")) scanner.cut(mark.start);
    if (scanner.is("(") || scanner.is("<")) {
      if (this.signatureAndBody()) return;
      this.semicolon();
      scanner.cut(start);
      return;
    }
    this.annotation();
    if (scanner.eat("=")) this.assignment();
    this.semicolon();
    if (isBodiless) scanner.cut(start, { first: ";" });
  }

  /** Cuts modifiers of TypeScript. Returns whether the member is a declaration alone. */
  private modifiers(): boolean {
    const { scanner } = this;
    let isBodiless = false;
    for (;;) {
      const { text, start, kind } = scanner.token;
      const { next } = scanner;
      const isKeyNext = KEY.test(next.kind) || /^[[*{]$/.test(next.text);
      if (kind !== "name" || !isKeyNext) return isBodiless;
      const isOwn = MODIFIERS.test(text);
      if (!isOwn && !/^(?:static|async|get|set|accessor)$/.test(text)) return isBodiless;
      if (next.onNewLine && !isOwn && text !== "static") return isBodiless;
      scanner.advance();
      if (isOwn) scanner.cut(start);
      if (text === "abstract" || text === "declare") isBodiless = true;
    }
  }

  private indexSignature(): boolean {
    const { scanner } = this;
    return scanner.attempt(() => {
      scanner.need("[");
      scanner.needName();
      scanner.need(":");
      readType(scanner);
      scanner.need("]");
      scanner.need(":");
      readType(scanner);
      this.semicolon();
    });
  }

  private expression(): void {
    do this.assignment();
    while (this.scanner.eat(","));
  }

  /** `inBranch`: between `?` and `:`, where a colon after an arrow's parameters may be theirs. */
  private assignment(inBranch = false): void {
    const { scanner } = this;
    if (this.arrow(inBranch)) return;
    this.unary();
    for (;;) {
      const { text, kind, start, onNewLine } = scanner.token;
      if ((text === "as" || text === "satisfies") && kind === "name" && !onNewLine) {
        scanner.advance();
        readType(scanner);
        scanner.cut(start);
      } else if (scanner.is("?")) {
        scanner.advance();
        this.assignment(true);
        scanner.need(":");
        this.assignment(inBranch);
        return;
      } else if (kind !== "string" && BINARY.has(text)) {
        scanner.advance();
        this.assignment(inBranch);
        return;
      } else return;
    }
  }

  private arrow(inBranch: boolean): boolean {
    const { scanner } = this;
    const { kind, text } = scanner.token;
    const isAsync = text === "async" && /^(?:\(|<)$/.test(scanner.next.text);
    if (kind === "name" && !isAsync) {
      const isAsyncName = text === "async" && scanner.next.kind === "name";
      if (isAsyncName && scanner.next.text !== "function") scanner.attempt(() => this.plain(2));
      if (scanner.next.text !== "=>" && !scanner.is("=>")) return false;
      if (!scanner.is("=>")) scanner.advance();
      this.arrowBody(inBranch);
      return true;
    }
    if (!isAsync && text !== "(" && text !== "<") return false;
    return scanner.attempt(() => {
      if (isAsync) scanner.advance();
      this.typeParameters();
      this.parameters();
      const isTyped = this.returnType(false);
      if (!scanner.is("=>") || scanner.token.onNewLine) throw scanner.mismatch('"=>"');
      this.arrowBody(inBranch);
      if (inBranch && isTyped && !scanner.is(":")) throw scanner.mismatch('":"');
    });
  }

  /** `async name =>` */
  private plain(names: number): void {
    const { scanner } = this;
    for (let name = 0; name < names; name += 1) scanner.needName();
    if (!scanner.is("=>")) throw scanner.mismatch('"=>"');
  }

  private arrowBody(inBranch: boolean): void {
    this.scanner.need("=>");
    if (this.scanner.is("{")) this.block();
    else this.assignment(inBranch);
  }

  private unary(): void {
    const { scanner } = this;
    for (;;) {
      const { text, kind } = scanner.token;
      const isLate = kind === "name" && LATE_PREFIXES.has(text);
      if (kind === "string" || !(PREFIXES.has(text) || isLate)) break;
      scanner.advance();
      if (text === "new" && scanner.eat(".")) break;
      if (text !== "yield") continue;
      scanner.eat("*");
      if (scanner.token.onNewLine || /^[)\]},;:]?$/.test(scanner.token.text)) return;
      this.assignment();
      return;
    }
    this.primary();
  }

  private primary(): void {
    const { scanner } = this;
    const { kind, text } = scanner.token;
    if (text === "<") {
      this.castValue();
      return;
    }
    if (kind === "name") this.named(text);
    else if (kind === "string" || kind === "number") scanner.advance();
    else if (text === "`") scanner.template(() => this.expression());
    else if (text === "(") this.parenthesized();
    else if (text === "[") this.elements("[", "]");
    else if (text === "{") this.objectLiteral();
    else if (text === "/" || text === "/=") scanner.regularExpression();
    else throw scanner.mismatch("a value");
    while (this.suffix());
  }

  private castValue(): void {
    const { scanner } = this;
    const { start } = scanner.token;
    scanner.needLetter("<");
    readType(scanner);
    scanner.needLetter(">");
    scanner.cut(start);
    this.unary();
  }

  private named(text: string): void {
    const { scanner } = this;
    if (text === "function" || (text === "async" && scanner.next.text === "function")) {
      if (!this.functionRest()) throw scanner.mismatch('"{"');
    } else if (text === "class") this.classRest();
    else scanner.advance();
  }

  private elements(opening: string, closing: string): void {
    const { scanner } = this;
    scanner.need(opening);
    while (!scanner.eat(closing)) {
      if (scanner.eat(",")) continue;
      this.assignment();
      if (!scanner.is(closing)) scanner.need(",");
    }
  }

  private objectLiteral(): void {
    const { scanner } = this;
    scanner.need("{");
    while (!scanner.eat("}")) {
      if (scanner.is("...")) this.assignment();
      else this.property();
      if (!scanner.is("}")) scanner.need(",");
    }
  }

  private property(): void {
    const { scanner } = this;
    const isKeyNext = KEY.test(scanner.next.kind) || /^[[*]$/.test(scanner.next.text);
    if (/^(?:async|get|set)$/.test(scanner.token.text) && isKeyNext) scanner.advance();
    scanner.eat("*");
    this.key();
    if (scanner.is("(") || scanner.is("<")) this.signatureAndBody();
    else if (scanner.eat(":") || scanner.eat("=")) this.assignment();
  }

  /** Reads what stands behind a value and belongs to it. Returns whether there was something. */
  private suffix(): boolean {
    const { scanner } = this;
    const { text, start, onNewLine, kind } = scanner.token;
    if (kind !== "sign") return false;
    if (text === "?.") {
      scanner.advance();
      if (scanner.token.kind === "name") scanner.advance();
    } else if (text === ".") {
      scanner.advance();
      scanner.needName();
    } else if (text === "(") this.elements("(", ")");
    else if (text === "[") {
      scanner.advance();
      this.expression();
      scanner.need("]");
    } else if (text === "`") scanner.template(() => this.expression());
    else if (text === "!" && !onNewLine) {
      scanner.advance();
      scanner.cut(start);
    } else if ((text === "++" || text === "--") && !onNewLine) scanner.advance();
    else return (text === "<" || text === "<<") && this.typeArguments();
    return true;
  }

  private typeArguments(): boolean {
    const { scanner } = this;
    const { start } = scanner.token;
    return scanner.attempt(() => {
      readTypeArguments(scanner);
      const { text, kind } = scanner.token;
      const goesOn = /^(?:\(|`|\)|\]|,|;|\}|\{|:|\.|\?\.|implements)$/.test(text);
      if (!goesOn && kind !== "end") throw scanner.mismatch('"("');
      scanner.cut(start);
    });
  }
}
