// A fuzz target with a planted fault.
import { must, textOf, type Target } from "../Target.ts";

export const fuzz: Target = (data) => {
  const text = textOf(data);
  if (text.slice(0, 6) !== "engine") return;
  must(text.slice(6, 9) !== "@7.", "planted");
};
