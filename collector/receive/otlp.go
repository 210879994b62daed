package receive

import (
	"fmt"
	"mime"
	"net/http"
	"time"

	"go.opentelemetry.io/collector/pdata/pmetric/pmetricotlp"
	rpc "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"thump/internal/formats"
	"thump/internal/telemetry"
)

const (
	protobufType = "application/x-protobuf"
	jsonType     = "application/json"
)

// otlp takes metrics over OTLP/HTTP, in protobuf or JSON.
func (r *Receiver) otlp(w http.ResponseWriter, req *http.Request) error {
	media := mediaOf(req)
	if media != protobufType && media != jsonType {
		return refuse(http.StatusUnsupportedMediaType, fmt.Errorf("content type %q, want %s or %s", media, protobufType, jsonType))
	}
	body, err := r.body(w, req, req.Header.Get("Content-Encoding"))
	if err != nil {
		return err
	}
	content, err := formats.OTLP{}.Read(body, time.Now())
	if err != nil {
		return refuse(http.StatusBadRequest, err)
	}
	if err := r.forward(req.Context(), "otlp", content); err != nil {
		return err
	}
	return exported(w, media, content)
}

func mediaOf(req *http.Request) string {
	media, _, err := mime.ParseMediaType(req.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return media
}

// exported answers in the format of the request. OTLP §Partial Success: what is
// not taken is told, and must not be sent again.
func exported(w http.ResponseWriter, media string, c *telemetry.Content) error {
	answer := pmetricotlp.NewExportResponse()
	if len(c.Skipped) > 0 {
		rejected := int64(0)
		for _, n := range c.Skipped {
			rejected += int64(n)
		}
		answer.PartialSuccess().SetRejectedDataPoints(rejected)
		answer.PartialSuccess().SetErrorMessage("not taken: " + formats.Reasons(c.Skipped))
	}
	marshal := answer.MarshalProto
	if media == jsonType {
		marshal = answer.MarshalJSON
	}
	b, err := marshal()
	if err != nil {
		return fmt.Errorf("encode OTLP answer: %w", err)
	}
	w.Header().Set("Content-Type", media)
	_, _ = w.Write(b) // a client that has gone sends it again
	return nil
}

// status is an error as OTLP §Failures wants it: a google.rpc.Status in the format
// of the request.
func status(w http.ResponseWriter, req *http.Request, code int, err error) {
	s := &rpc.Status{Code: int32(rpcCode(code)), Message: err.Error()}
	media, marshal := protobufType, proto.Marshal
	if mediaOf(req) == jsonType {
		media, marshal = jsonType, protojson.Marshal
	}
	w.Header().Set("Content-Type", media)
	w.WriteHeader(code)
	if b, err := marshal(s); err == nil { // text that is not UTF-8 goes without
		_, _ = w.Write(b)
	}
}

func rpcCode(code int) codes.Code {
	switch code {
	case http.StatusServiceUnavailable:
		return codes.Unavailable
	case http.StatusInternalServerError:
		return codes.Internal
	}
	return codes.InvalidArgument
}
