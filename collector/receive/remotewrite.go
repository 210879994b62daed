package receive

import (
	"errors"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"time"

	"thump/internal/bus"
	"thump/internal/formats"
	"thump/internal/telemetry"
)

// Headers of an answer, Remote-Write 2.0 §Required Written Response Headers.
const (
	samplesWritten    = "X-Prometheus-Remote-Write-Samples-Written"
	histogramsWritten = "X-Prometheus-Remote-Write-Histograms-Written"
	exemplarsWritten  = "X-Prometheus-Remote-Write-Exemplars-Written"
)

// remoteWrite takes Remote-Write 1.0 and 2.0, told apart by the content type.
func (r *Receiver) remoteWrite(w http.ResponseWriter, req *http.Request) error {
	second, err := version(req.Header.Get("Content-Type"))
	if err != nil {
		return refuse(http.StatusUnsupportedMediaType, err)
	}
	encoding := req.Header.Get("Content-Encoding")
	if encoding == "" {
		encoding = "snappy" // Remote-Write 1.0 senders may leave it out, as Prometheus allows
	}
	if encoding != "snappy" {
		return refuse(http.StatusUnsupportedMediaType, fmt.Errorf("content encoding %q, want snappy", encoding))
	}
	body, err := r.body(w, req, encoding)
	if err != nil {
		return err
	}
	read := formats.RemoteWrite1{}.Read
	if second {
		read = remoteWrite2
		written(w, 0)
	}
	content, err := read(body, time.Now())
	if err != nil {
		return refuse(http.StatusBadRequest, err)
	}
	if err := r.forward(req.Context(), "remote_write", content); err != nil {
		return err
	}
	if second {
		written(w, samplesOf(content))
	}
	if len(content.Skipped) > 0 {
		return partly(content.Skipped)
	}
	w.WriteHeader(http.StatusNoContent) // the broker has confirmed
	return nil
}

// version tells whether a content type is that of Remote-Write 2.0 rather than
// 1.0.
func version(contentType string) (second bool, err error) {
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil || media != "application/x-protobuf" {
		return false, fmt.Errorf("content type %q, want application/x-protobuf", contentType)
	}
	switch params["proto"] {
	case "", "prometheus.WriteRequest":
		return false, nil
	case "io.prometheus.write.v2.Request":
		return true, nil
	}
	return false, errors.New("unknown protobuf message " + params["proto"])
}

func written(w http.ResponseWriter, samples int) {
	w.Header().Set(samplesWritten, strconv.Itoa(samples))
	w.Header().Set(histogramsWritten, "0")
	w.Header().Set(exemplarsWritten, "0")
}

func samplesOf(c *telemetry.Content) (n int) {
	for i := range c.Series {
		n += len(c.Series[i].Samples)
	}
	return n
}

// remoteWrite2 reads a Remote-Write 2.0 body.
func remoteWrite2(body []byte, _ time.Time) (*telemetry.Content, error) {
	c := &telemetry.Content{}
	d := telemetry.NewDecoder(0)
	m := &bus.Message{ContentType: telemetry.RemoteWriteContentType, Body: body}
	err := d.Decode(m, func(run *telemetry.Run) error {
		if len(run.Samples) == 0 {
			return nil
		}
		s := *run.Series()
		s.Labels, s.Samples = slices.Clone(s.Labels), slices.Clone(s.Samples)
		c.Series = append(c.Series, s)
		return nil
	})
	c.Skipped = d.Skipped()
	return c, err
}
