// Apart from the messages: the service's descriptor carries google.api.http and descriptor.proto with it, which a client has no use for.
export * from "./gen/bytenite/developer/developer_pb.ts";
export * from "./gen/google/api/annotations_pb.ts";
export * from "./gen/google/api/http_pb.ts";
