package telemetry

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/klauspost/compress/snappy"

	"thump/internal/bus"
)

// Content types that Decode takes.
const (
	RemoteWriteContentType = "application/x-protobuf;proto=io.prometheus.write.v2.Request"
	JSONContentType        = "application/json"
)

// MetricsType is the type property of a message that carries a batch.
const MetricsType = "metrics"

// Headers of a batch's message.
const (
	HostHeader     = "host"
	GroupHeader    = "group"
	ProbeHeader    = "probe"
	IntervalHeader = "interval" // until the next batch of this probe, as a Go duration
)

// Batch is what one run of one probe measured.
type Batch struct {
	Host, Group, Probe string
	Interval           time.Duration // until the next batch of this probe
	Boot               string        // names the agent's start; with Seq it names the batch
	Seq                uint64
	Time               time.Time
	Series             []Series
}

// Encoder turns batches into messages. It is not safe for concurrent use.
type Encoder struct {
	enc  encoder
	body []byte // has room for any body so far
}

// Encode returns the message that carries b.
func (e *Encoder) Encode(b *Batch) *bus.Message {
	request := e.enc.encode(b.Series)
	e.body = slices.Grow(e.body[:0], snappy.MaxEncodedLen(len(request)))
	return &bus.Message{
		Key:             Key(b.Group, b.Host, b.Probe),
		ContentType:     RemoteWriteContentType,
		ContentEncoding: "snappy",
		Type:            MetricsType,
		ID:              b.Boot + "-" + strconv.FormatUint(b.Seq, 10),
		Time:            b.Time,
		Headers: map[string]string{
			HostHeader: b.Host, GroupHeader: b.Group, ProbeHeader: b.Probe,
			IntervalHeader: b.Interval.String(),
		},
		Body: slices.Clone(snappy.Encode(e.body[:cap(e.body)], request)), // a message may be kept for long: no more than it needs
	}
}

// Origin is where a message says that it comes from.
type Origin struct {
	Host, Group, Probe string
	Interval           time.Duration // zero if the message does not say
}

// OriginOf reads the headers of a batch's message.
func OriginOf(m *bus.Message) Origin {
	d, err := time.ParseDuration(m.Headers[IntervalHeader])
	if err != nil || d < 0 {
		d = 0
	}
	return Origin{Host: m.Headers[HostHeader], Group: m.Headers[GroupHeader], Probe: m.Headers[ProbeHeader], Interval: d}
}

// String is the origin as a log line shows it.
func (o Origin) String() string { return fmt.Sprintf("%s.%s.%s", o.Group, o.Host, o.Probe) }
