package receive

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/influxdata/line-protocol/v2/lineprotocol"

	"thump/internal/formats"
)

// influx takes line protocol as InfluxDB 1 and 2 do. Database, bucket and
// organisation are read and left out: there is one history.
func (r *Receiver) influx(w http.ResponseWriter, req *http.Request) error {
	unit := req.URL.Query().Get("precision")
	precision, ok := precisions[unit]
	if !ok {
		return refuse(http.StatusBadRequest, fmt.Errorf("precision %q is not one of ns, us, ms, s", unit))
	}
	body, err := r.body(w, req, req.Header.Get("Content-Encoding"))
	if err != nil {
		return err
	}
	content, err := formats.Influx{Precision: precision}.Read(body, time.Now())
	if err != nil {
		return refuse(http.StatusBadRequest, err)
	}
	if err := r.forward(req.Context(), "influx", content); err != nil {
		return err
	}
	if n := content.Skipped[formats.SkippedLine]; n > 0 {
		return refuse(http.StatusBadRequest, fmt.Errorf("partial write: unable to parse %d lines dropped=%d", n, n))
	}
	w.WriteHeader(http.StatusNoContent) // the broker has confirmed
	return nil
}

// precisions are the units of InfluxDB 1 and 2.
var precisions = map[string]lineprotocol.Precision{
	"": lineprotocol.Nanosecond, "n": lineprotocol.Nanosecond, "ns": lineprotocol.Nanosecond,
	"u": lineprotocol.Microsecond, "us": lineprotocol.Microsecond, "µ": lineprotocol.Microsecond,
	"ms": lineprotocol.Millisecond, "s": lineprotocol.Second,
}

// influx1 is an error as InfluxDB 1 answers.
func influx1(w http.ResponseWriter, _ *http.Request, code int, err error) {
	w.Header().Set("X-Influxdb-Error", err.Error())
	writeJSON(w, code, map[string]string{"error": err.Error()})
}

// influx2 is an error as InfluxDB 2 answers.
func influx2(w http.ResponseWriter, _ *http.Request, code int, err error) {
	kind := "invalid"
	switch code {
	case http.StatusRequestEntityTooLarge:
		kind = "request too large"
	case http.StatusServiceUnavailable:
		kind = "unavailable"
	case http.StatusInternalServerError:
		kind = "internal error"
	}
	writeJSON(w, code, map[string]string{"code": kind, "message": err.Error()})
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", jsonType)
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // the status is out
}
