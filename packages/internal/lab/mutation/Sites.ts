// Mutable places of shipped code, found in its syntax tree.
import ts from "typescript-5";

/** One change: what stands from `start` to `end` of a file, and what would stand there instead. */
export interface Site {
  readonly start: number;
  readonly end: number;
  readonly original: string;
  readonly replacement: string;
  /** Of the change, from 1. */
  readonly line: number;
}

const operators: Readonly<Record<string, string>> = {
  "===": "!==",
  "!==": "===",
  "<": "<=",
  "<=": "<",
  ">": ">=",
  ">=": ">",
  "&&": "||",
  "||": "&&",
  "+": "-",
  "-": "+",
  "*": "/",
  "/": "*",
  "%": "*",
  "??": "&&",
  "+=": "-=",
  "-=": "+=",
};

const calls: Readonly<Record<string, string>> = {
  every: "some",
  some: "every",
  min: "max",
  max: "min",
  floor: "ceil",
  ceil: "floor",
  startsWith: "endsWith",
  endsWith: "startsWith",
};

/** All changes of a source text. Types, imports, texts for people and whatever has no effect of its own stay as they are. */
export const sitesIn = (text: string): ReadonlyArray<Site> => {
  const file = ts.createSourceFile("a.ts", text, ts.ScriptTarget.Latest, true);
  const sites: Array<Site> = [];
  const add = (node: ts.Node, replacement: string): void => {
    const start = node.getStart(file);
    const line = file.getLineAndCharacterOfPosition(start).line + 1;
    sites.push({ start, end: node.getEnd(), original: text.slice(start, node.getEnd()), replacement, line });
  };
  const search = (node: ts.Node): void => {
    if (ts.isTypeNode(node) || ts.isImportDeclaration(node) || ts.isInterfaceDeclaration(node)) return;
    if (ts.isTypeAliasDeclaration(node)) return;
    if (ts.isBinaryExpression(node)) {
      const { operatorToken, left, right } = node;
      const other = operators[operatorToken.getText(file)];
      const isText = [left, right].some((side) => ts.isStringLiteralLike(side) || ts.isTemplateExpression(side));
      // `-` of texts would be a type error and nothing else.
      if (other !== undefined && !(isText && /^\+=?$/.test(operatorToken.getText(file)))) add(operatorToken, other);
      if (/^[!=]==$/.test(operatorToken.getText(file)) && ts.isStringLiteral(right) && right.text !== "") {
        add(right, JSON.stringify(`${right.text}-changed`));
      }
    }
    if (ts.isPrefixUnaryExpression(node) && node.operator === ts.SyntaxKind.ExclamationToken) {
      add(node, `(${node.operand.getText(file)})`);
    }
    if (ts.isNumericLiteral(node)) add(node, `(${node.getText(file)} + 1)`);
    if (node.kind === ts.SyntaxKind.TrueKeyword && !ts.isLiteralTypeNode(node.parent)) add(node, "false");
    if (node.kind === ts.SyntaxKind.FalseKeyword && !ts.isLiteralTypeNode(node.parent)) add(node, "true");
    if (ts.isIfStatement(node) || ts.isWhileStatement(node))
      add(node.expression, `!(${node.expression.getText(file)})`);
    if (ts.isConditionalExpression(node)) add(node.condition, `!(${node.condition.getText(file)})`);
    if (ts.isPropertyAccessExpression(node) && ts.isCallExpression(node.parent) && node.parent.expression === node) {
      const other = Object.hasOwn(calls, node.name.text) ? calls[node.name.text] : undefined;
      if (other !== undefined) add(node.name, other);
    }
    if (
      ts.isExpressionStatement(node) &&
      (ts.isCallExpression(node.expression) || ts.isAwaitExpression(node.expression))
    ) {
      // A call of `super` cannot be left out.
      if (!node.getText(file).startsWith("super(")) add(node, ";");
    }
    ts.forEachChild(node, search);
  };
  search(file);
  return sites;
};

/** The text with one change made. */
export const changed = (text: string, { start, end, replacement }: Site): string =>
  text.slice(0, start) + replacement + text.slice(end);
