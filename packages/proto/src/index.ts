// Messages of the API: types and descriptors by protobuf-es.
export * from "./gen/bytenite/common/device_requirements_pb.ts";
export * from "./gen/bytenite/common/pagination_pb.ts";
export * from "./gen/bytenite/common/platform_config_pb.ts";
export * from "./gen/bytenite/developer/engine_messages_pb.ts";
export * from "./gen/bytenite/engine/engine_pb.ts";
export * from "./gen/google/rpc/error_details_pb.ts";
export * from "./gen/google/rpc/status_pb.ts";
