// A grpc-go server over mutual TLS that answers VerifySeller with a constant: no token, no partner,
// no record, no store. scripts/bench builds it with Debian's grpc-go and starts it as a peer.
//
// Usage: grpc-go PKI_FOLDER; says where it listens on one line.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io/ioutil"
	"log"
	"net"
	"os"
	"path/filepath"

	"github.com/golang/protobuf/proto"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
)

// The messages of puente.sellers.v1 that are used here; the tags are all that the library needs.

type verifySellerRequest struct {
	Cuit string `protobuf:"bytes,1,opt,name=cuit,proto3"`
	Ncm  string `protobuf:"bytes,4,opt,name=ncm,proto3"`
}

type verifySellerResponse struct {
	Answer *sellerAnswer `protobuf:"bytes,1,opt,name=answer,proto3"`
}

type sellerAnswer struct {
	Cuit          string     `protobuf:"bytes,1,opt,name=cuit,proto3"`
	Verdict       int32      `protobuf:"varint,2,opt,name=verdict,proto3"`
	Reason        string     `protobuf:"bytes,3,opt,name=reason,proto3"`
	EligibleSince *date      `protobuf:"bytes,4,opt,name=eligible_since,json=eligibleSince,proto3"`
	CheckedAt     *timestamp `protobuf:"bytes,5,opt,name=checked_at,json=checkedAt,proto3"`
}

type date struct {
	Year  int32 `protobuf:"varint,1,opt,name=year,proto3"`
	Month int32 `protobuf:"varint,2,opt,name=month,proto3"`
	Day   int32 `protobuf:"varint,3,opt,name=day,proto3"`
}

type timestamp struct {
	Seconds int64 `protobuf:"varint,1,opt,name=seconds,proto3"`
	Nanos   int32 `protobuf:"varint,2,opt,name=nanos,proto3"`
}

func (m *verifySellerRequest) Reset()          { *m = verifySellerRequest{} }
func (m *verifySellerRequest) String() string  { return proto.CompactTextString(m) }
func (m *verifySellerRequest) ProtoMessage()   {}
func (m *verifySellerResponse) Reset()         { *m = verifySellerResponse{} }
func (m *verifySellerResponse) String() string { return proto.CompactTextString(m) }
func (m *verifySellerResponse) ProtoMessage()  {}
func (m *sellerAnswer) Reset()                 { *m = sellerAnswer{} }
func (m *sellerAnswer) String() string         { return proto.CompactTextString(m) }
func (m *sellerAnswer) ProtoMessage()          {}
func (m *date) Reset()                         { *m = date{} }
func (m *date) String() string                 { return proto.CompactTextString(m) }
func (m *date) ProtoMessage()                  {}
func (m *timestamp) Reset()                    { *m = timestamp{} }
func (m *timestamp) String() string            { return proto.CompactTextString(m) }
func (m *timestamp) ProtoMessage()             {}

type sellers interface {
	verify(context.Context, *verifySellerRequest) (*verifySellerResponse, error)
}

type constant struct{}

func (constant) verify(_ context.Context, asked *verifySellerRequest) (*verifySellerResponse, error) {
	return &verifySellerResponse{Answer: &sellerAnswer{
		Cuit:          asked.Cuit,
		Verdict:       1,
		EligibleSince: &date{Year: 2020, Month: 1, Day: 1},
		CheckedAt:     &timestamp{Seconds: 1700000000, Nanos: 1},
	}}, nil
}

// As the generator writes it.
func verifySeller(
	server interface{}, ctx context.Context, decode func(interface{}) error, _ grpc.UnaryServerInterceptor,
) (interface{}, error) {
	asked := new(verifySellerRequest)
	if err := decode(asked); err != nil {
		return nil, err
	}
	return server.(sellers).verify(ctx, asked)
}

var service = grpc.ServiceDesc{
	ServiceName: "puente.sellers.v1.SellerService",
	HandlerType: (*sellers)(nil),
	Methods:     []grpc.MethodDesc{{MethodName: "VerifySeller", Handler: verifySeller}},
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: grpc-go PKI_FOLDER")
	}
	config, err := mutual(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer(
		grpc.Creds(credentials.NewTLS(config)),
		grpc.MaxConcurrentStreams(512),
	)
	server.RegisterService(&service, constant{})
	fmt.Println(listener.Addr())
	log.Fatal(server.Serve(listener))
}

// TLS 1.3 with a certificate of the gateway's own authority asked of every client.
func mutual(pki string) (*tls.Config, error) {
	own, err := tls.LoadX509KeyPair(filepath.Join(pki, "server.pem"), filepath.Join(pki, "server.key.pem"))
	if err != nil {
		return nil, err
	}
	authority, err := ioutil.ReadFile(filepath.Join(pki, "ca.pem"))
	if err != nil {
		return nil, err
	}
	clients := x509.NewCertPool()
	if !clients.AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("no certificate in ca.pem")
	}
	return &tls.Config{
		Certificates: []tls.Certificate{own},
		ClientCAs:    clients,
		ClientAuth:   tls.RequireAndVerifyClientCert,
		MinVersion:   tls.VersionTLS13,
	}, nil
}
