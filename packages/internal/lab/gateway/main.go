// The engines service in gRPC, and grpc-gateway in front of it.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"

	developer "example/bytenite/developer"
	engine "example/bytenite/engine"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

type service struct {
	developer.UnimplementedDeveloperServer
	calls atomic.Int32
}

// Each call has a number: two equal answers are one answer of a cache.
func (s *service) user(ctx context.Context) (string, int32, error) {
	if user := field(ctx, "authorization"); user != "" && user != "revoked" {
		return user, s.calls.Add(1), nil
	}
	return "", 0, status.Error(codes.Unauthenticated, "who are you?")
}

func field(ctx context.Context, name string) string {
	fields, _ := metadata.FromIncomingContext(ctx)
	return strings.Join(fields.Get(name), ", ")
}

func (s *service) GetEngines(ctx context.Context, request *developer.EngineListRequest) (*developer.EngineListResponse, error) {
	user, number, err := s.user(ctx)
	if err != nil {
		return nil, err
	}
	limit := request.GetPagination().GetLimit()
	one := &engine.Engine{Name: "zipper", Owner: user, Revision: number, Description: fmt.Sprint("limit ", limit)}
	return &developer.EngineListResponse{Engines: []*engine.Engine{one}}, nil
}

func (s *service) GetEngineByTag(ctx context.Context, request *developer.EngineMessage) (*engine.Engine, error) {
	user, number, err := s.user(ctx)
	if err != nil {
		return nil, err
	}
	switch request.EngineTag {
	case "zipper":
		return &engine.Engine{Name: "zipper", Owner: user, Revision: number}, nil
	case "traced":
		return &engine.Engine{Name: "traced", Description: field(ctx, "x-request-id")}, nil
	case "busy":
		return nil, status.Error(codes.Unavailable, "try again")
	case "foreign":
		return nil, status.Error(codes.PermissionDenied, "not yours")
	}
	return nil, status.Error(codes.NotFound, "no such engine")
}

func (s *service) GetEngineStatus(ctx context.Context, request *developer.EngineMessage) (*developer.EngineMessage, error) {
	_, _, err := s.user(ctx)
	return &developer.EngineMessage{EngineTag: request.EngineTag, EngineStatus: "active"}, err
}

func (s *service) ActivateEngine(ctx context.Context, request *developer.EngineMessage) (*developer.EngineMessage, error) {
	_, _, err := s.user(ctx)
	return &developer.EngineMessage{EngineTag: request.EngineTag, EngineStatus: "active"}, err
}

// Protobuf under the media type that the API has for it; the gateway's own says application/octet-stream.
type protobuf struct{ runtime.ProtoMarshaller }

func (*protobuf) ContentType(any) string { return "application/x-protobuf" }

func requestId(name string) (string, bool) {
	if name == "X-Request-Id" {
		return "x-request-id", true
	}
	return runtime.DefaultHeaderMatcher(name)
}

func main() {
	rpc, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	server := grpc.NewServer()
	developer.RegisterDeveloperServer(server, &service{})
	go server.Serve(rpc)
	mux := runtime.NewServeMux(
		runtime.WithMarshalerOption("application/x-protobuf", &protobuf{}),
		runtime.WithIncomingHeaderMatcher(requestId),
	)
	options := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	check(developer.RegisterDeveloperHandlerFromEndpoint(context.Background(), mux, rpc.Addr().String(), options))
	web, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	fmt.Printf("ready http://%s/v1/dev\n", web.Addr())
	// It ends with the process that started it.
	go func() { io.Copy(io.Discard, os.Stdin); os.Exit(0) }()
	check(http.Serve(web, http.StripPrefix("/v1/dev", mux)))
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
