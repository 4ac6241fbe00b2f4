/**
 * Puts a counter into every branch of a source: functions, arms of conditions, cases, the second
 * operand of `&&`, `||` and `??`. Lines stay where they are.
 */
import ts from "typescript";

/** The counters are a Uint32Array of this name, which is global where the source runs. */
export const COUNTERS = "fuzzCounters";

export interface Instrumented {
  readonly code: string;
  /** How many counters there are, from the first one on. */
  readonly branches: number;
  /** The texts and numbers that the source names: inputs are made of them. */
  readonly texts: readonly string[];
  readonly numbers: readonly number[];
}

const SHORT_CIRCUITS: readonly ts.SyntaxKind[] = [
  ts.SyntaxKind.AmpersandAmpersandToken,
  ts.SyntaxKind.BarBarToken,
  ts.SyntaxKind.QuestionQuestionToken,
];

/** Insertions of one source, in the order in which they are met. */
class Insertions {
  private readonly list: { readonly at: number; readonly text: string }[] = [];
  private readonly file: ts.SourceFile;
  private next: number;

  constructor(file: ts.SourceFile, first: number) {
    this.file = file;
    this.next = first;
  }

  get end(): number {
    return this.next;
  }

  count(at: number): void {
    this.put(at, `${this.counter()};`);
  }

  put(at: number, text: string): void {
    this.list.push({ at, text });
  }

  /** Counts an expression, and visits it. */
  expression(node: ts.Expression, visit: (node: ts.Node) => void): void {
    this.put(node.getStart(this.file), `(${this.counter()},`);
    visit(node);
    this.put(node.getEnd(), ")");
  }

  /** Counts a statement that need not be a block, and visits it. */
  statement(node: ts.Statement, visit: (node: ts.Node) => void): void {
    const start = node.getStart(this.file);
    if (ts.isBlock(node)) {
      this.count(start + 1);
      visit(node);
      return;
    }
    this.put(start, "{");
    this.count(start);
    visit(node);
    this.put(node.getEnd(), "}");
  }

  /** The place of `else`, where nothing is done. */
  absentElse(at: number): void {
    this.put(at, ` else {${this.counter()};}`);
  }

  private counter(): string {
    return `${COUNTERS}[${this.next++}]++`;
  }

  applied(): string {
    const { text } = this.file;
    const sorted = this.list.map((one, order) => ({ ...one, order }));
    sorted.sort((a, b) => a.at - b.at || a.order - b.order);
    let code = "";
    let from = 0;
    for (const { at, text: inserted } of sorted) {
      code += text.slice(from, at) + inserted;
      from = at;
    }
    return code + text.slice(from);
  }
}

/** Returns the source with counters from `first` on. */
export function instrument(name: string, source: string, first: number): Instrumented {
  const file = ts.createSourceFile(name, source, ts.ScriptTarget.ES2022, true);
  const made = new Insertions(file, first);
  const texts = new Set<string>();
  const numbers = new Set<number>();
  const children = (node: ts.Node) => ts.forEachChild(node, visit);
  const visitIf = (node: ts.IfStatement) => {
    visit(node.expression);
    made.statement(node.thenStatement, visit);
    const { elseStatement } = node;
    if (elseStatement === undefined) made.absentElse(node.thenStatement.getEnd());
    else if (ts.isIfStatement(elseStatement)) visitIf(elseStatement);
    else made.statement(elseStatement, visit);
  };
  const visitBranch = (node: ts.Node): boolean => {
    if (ts.isIfStatement(node)) visitIf(node);
    else if (ts.isConditionalExpression(node)) {
      visit(node.condition);
      made.expression(node.whenTrue, visit);
      made.expression(node.whenFalse, visit);
    } else if (ts.isBinaryExpression(node) && SHORT_CIRCUITS.includes(node.operatorToken.kind)) {
      visit(node.left);
      made.expression(node.right, visit);
    } else if (ts.isArrowFunction(node) && !ts.isBlock(node.body)) {
      node.parameters.forEach(visit);
      made.expression(node.body, visit);
    } else return false;
    return true;
  };
  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteral(node)) texts.add(node.text);
    if (ts.isNumericLiteral(node)) numbers.add(Number(node.text));
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node) || visitBranch(node)) return;
    if (ts.isFunctionLike(node) && "body" in node && node.body && ts.isBlock(node.body)) {
      made.count(node.body.getStart(file) + 1);
    } else if (ts.isCaseOrDefaultClause(node)) {
      made.count(node.statements[0]?.getStart(file) ?? node.getEnd());
    } else if (ts.isCatchClause(node)) {
      made.count(node.block.getStart(file) + 1);
    } else if (ts.isIterationStatement(node, false)) {
      node.forEachChild((child) => {
        if (child === node.statement) made.statement(node.statement, visit);
        else visit(child);
      });
      return;
    }
    children(node);
  };
  visit(file);
  return {
    code: made.applied(),
    branches: made.end - first,
    texts: [...texts],
    numbers: [...numbers],
  };
}
