// Media types of protobuf and JSON.

/** The two forms in which the API answers. */
export type Format = "json" | "protobuf";

/** The names under which each form is asked for and labelled; the first is the one the API documents. */
export const mediaTypes = {
  json: ["application/json"],
  protobuf: ["application/x-protobuf", "application/protobuf", "application/vnd.google.protobuf"],
} as const satisfies Record<Format, ReadonlyArray<string>>;

/** The documented media type of a form. */
export const mediaTypeOf = (format: Format): string => mediaTypes[format][0];

/**
 * The form that a Content-Type names, or undefined for any other. `application/octet-stream` counts as protobuf: the
 * stock marshaler of grpc-gateway labels its answers so. Parameters and case are ignored (RFC 9110, 8.3.1).
 */
export const formatOf = (contentType: string | null | undefined): Format | undefined => {
  // What our own servers send, in nearly every answer.
  if (contentType === "application/x-protobuf") return "protobuf";
  const essence = contentType?.split(";")[0]?.trim().toLowerCase();
  if (essence === undefined || essence === "") return undefined;
  if (essence === "application/json" || essence === "text/json" || essence.endsWith("+json")) return "json";
  if (essence === "application/octet-stream") return "protobuf";
  return (mediaTypes.protobuf as ReadonlyArray<string>).includes(essence) ? "protobuf" : undefined;
};
