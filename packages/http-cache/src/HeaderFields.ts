// Header fields as Fetch and Node have them.

/** Header fields: `Headers`, or a record such as `IncomingMessage.headers` of Node. Names in any case. */
export type HeaderFields = Headers | Readonly<Record<string, string | number | ReadonlyArray<string> | undefined>>;

const isHeaders = (fields: HeaderFields): fields is Headers => typeof fields["get"] === "function";

/** The value of a field, combined from several lines; null for an absent one. `name` is in lower case. */
export const fieldValue = (fields: HeaderFields, name: string): string | null => {
  if (isHeaders(fields)) return fields.get(name);
  let value: string | null = null;
  for (const key in fields) {
    if (key.length !== name.length || !Object.hasOwn(fields, key) || key.toLowerCase() !== name) continue;
    const line = fields[key];
    if (line === undefined) continue;
    const text = typeof line === "object" ? line.join(", ") : `${line}`;
    value = value === null ? text : `${value}, ${text}`;
  }
  return value;
};

/** A copy as `Headers`, without the pseudo-header fields of HTTP/2. Throws TypeError for an invalid name or value. */
export const toHeaders = (fields: HeaderFields): Headers => {
  if (isHeaders(fields)) return new Headers(fields);
  const headers = new Headers();
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined || name.startsWith(":")) continue;
    for (const line of typeof value === "object" ? value : [`${value}`]) headers.append(name, line);
  }
  return headers;
};
