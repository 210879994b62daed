package control

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"thump/internal/bus"
	"thump/internal/config"
)

// The type property says what a message is.
const (
	ReportType   = "agent.report"
	TemplateType = "agent.template"
	BoostType    = "agent.boost"
	RetiredType  = "fleet.retired"
)

const (
	contentType = "application/json"
	// MaxBody bounds a message's body, in bytes.
	MaxBody = 1 << 20
	// worth is how long a message waits for whom it is meant: later it would be
	// asked, or sent, again anyway.
	worth = 30 * time.Second
)

// Report is what an agent says of itself. It is also the question whether its
// template is the right one.
type Report struct {
	Host    string            `json:"host"`
	Groups  []string          `json:"groups"` // the first is the label group
	Labels  map[string]string `json:"labels,omitempty"`
	Version string            `json:"version,omitempty"`
	OS      string            `json:"os,omitempty"`
	Arch    string            `json:"arch,omitempty"`
	// Revision of the template that is applied; "" for the agent's own.
	Revision string    `json:"revision,omitempty"`
	Refused  []Refusal `json:"refused,omitempty"`
	Spool    Spool     `json:"spool"`
}

// Refusal is a part of a template that an agent does not apply, and why.
type Refusal struct {
	Name   string `json:"name"` // "probe cpu", "check disk"
	Line   int    `json:"line"` // in the template; 0: of the whole
	Reason string `json:"reason"`
}

// Spool is what waits on an agent's disk.
type Spool struct {
	Batches int    `json:"batches"`
	Bytes   int64  `json:"bytes"`
	Dropped uint64 `json:"dropped"` // batches, since the agent's start
}

// Template is what a host is to do.
type Template struct {
	Host     string `json:"host"`
	Revision string `json:"revision"`
	// Body is YAML; "" means that the host has this revision already.
	Body string `json:"body,omitempty"`
}

// Boost asks for probes to run more often for a while.
type Boost struct {
	Host     string          `json:"host,omitempty"`   // "": everybody whom the key reaches
	Probes   []string        `json:"probes,omitempty"` // none: all
	Interval config.Duration `json:"interval"`
	For      config.Duration `json:"for"`
}

// Bounds of a boost.
const (
	MinBoostInterval = time.Second
	MaxBoost         = time.Minute
)

// Check tells what is wrong with a boost.
func (b *Boost) Check() error {
	switch {
	case b.Interval.D() < MinBoostInterval:
		return fmt.Errorf("boost to every %s: want at least %s", b.Interval, MinBoostInterval)
	case b.For.D() <= 0 || b.For.D() > MaxBoost:
		return fmt.Errorf("boost for %s: want at most %s", b.For, MaxBoost)
	}
	return nil
}

// Retired says that a host is gone for good: whoever watches it forgets it, until
// it reports again. It goes to FleetKey.
type Retired struct {
	Host  string    `json:"host"`
	Group string    `json:"group"` // as it last reported; "" if it never did
	At    time.Time `json:"at"`
}

// EncodeRetired returns the message that says so. Unlike what agents are told
// nobody asks for it again: it waits for a subscriber that is away.
func EncodeRetired(r *Retired) (*bus.Message, error) {
	m, err := Encode(RetiredType, FleetKey, r)
	if err == nil {
		m.Transient, m.Expires = false, 0
	}
	return m, err
}

// DecodeRetired reads such a message and checks that it names a host.
func DecodeRetired(m *bus.Message) (*Retired, error) {
	var r Retired
	if err := Decode(m, &r); err != nil {
		return nil, err
	}
	if r.Host == "" {
		return nil, errors.New("retirement without a host")
	}
	return &r, nil
}

// Revision names the text of a template by its hash.
func Revision(body string) string {
	sum := sha256.Sum256([]byte(body))
	return hex.EncodeToString(sum[:6])
}

// Encode returns the message with v as its body. It is transient: what is not
// delivered soon is not worth delivering.
func Encode(kind, key string, v any) (*bus.Message, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %s: %w", kind, err)
	}
	if len(body) > MaxBody {
		return nil, fmt.Errorf("encode %s: %d bytes, want at most %d", kind, len(body), MaxBody)
	}
	return Raw(kind, key, body), nil
}

// Raw is Encode for a body that is encoded already.
func Raw(kind, key string, body []byte) *bus.Message {
	return &bus.Message{
		Key: key, ContentType: contentType, Type: kind, Time: time.Now(), Body: body, Transient: true, Expires: worth,
	}
}

// Decode reads a message's body into v.
func Decode(m *bus.Message, v any) error {
	if len(m.Body) > MaxBody {
		return fmt.Errorf("%s of %d bytes, want at most %d", m.Type, len(m.Body), MaxBody)
	}
	if err := json.Unmarshal(m.Body, v); err != nil {
		return fmt.Errorf("decode %s: %w", m.Type, err)
	}
	return nil
}

// DecodeReport reads a report and checks that it names a host and a group.
func DecodeReport(m *bus.Message) (*Report, error) {
	var r Report
	if err := Decode(m, &r); err != nil {
		return nil, err
	}
	if r.Host == "" || len(r.Groups) == 0 {
		return nil, errors.New("report without host or group")
	}
	return &r, nil
}
