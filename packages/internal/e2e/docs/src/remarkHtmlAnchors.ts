// remark plugin for anchors in HTML: `<a id="...">`.

interface Node {
  readonly type: string;
  readonly value?: string;
  readonly children?: ReadonlyArray<Node>;
  data?: { id?: string };
}

const mark = (node: Node): void => {
  const id = node.type === "html" ? /^<a id="([^"]+)"/.exec(node.value ?? "")?.[1] : undefined;
  if (id !== undefined) node.data = { id };
  for (const child of node.children ?? []) mark(child);
};

export default function remarkHtmlAnchors(): (tree: Node) => void {
  return mark;
}
