// Service descriptor, separate because it includes google.api.http.
export * from "./gen/bytenite/developer/developer_pb.ts";
export * from "./gen/google/api/annotations_pb.ts";
export * from "./gen/google/api/http_pb.ts";
