package live

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"

	"thump/internal/telemetry"
)

// Request is what a panel follows.
type Request struct {
	Expr    string         `json:"expr"`
	Legend  string         `json:"legend,omitempty"`
	Key     string         `json:"key,omitempty"`     // group.host.probe, * and # allowed; "": made from the expression
	Every   model.Duration `json:"every,omitempty"`   // the least time between two points
	NoBoost bool           `json:"noBoost,omitempty"` // leave hosts at their own interval
}

// pathPrefix begins the path of every stream.
const pathPrefix = "live/"

// Address is how a browser subscribes: Grafana runs one stream for each path, so
// the path is a digest of the data, and nobody can put another query under it.
type Address struct {
	Path string `json:"path"`
	Data Data   `json:"data"`
}

// Data accompanies a path. The request is text, since Grafana may write JSON anew.
type Data struct {
	Request string `json:"request"`
}

// Address returns where a request is followed.
func (r *Request) Address() (Address, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return Address{}, fmt.Errorf("encode the request: %w", err)
	}
	return Address{Path: path(string(text)), Data: Data{Request: string(text)}}, nil
}

func path(text string) string {
	sum := sha256.Sum256([]byte(text))
	return pathPrefix + hex.EncodeToString(sum[:12])
}

// ErrForged is the error of a path that is not that of its data.
var ErrForged = errors.New("the path does not belong to the query")

// ReadAddress returns the request behind an address.
func ReadAddress(p string, raw json.RawMessage) (*Request, error) {
	var d Data
	if err := json.Unmarshal(raw, &d); err != nil {
		return nil, fmt.Errorf("read the subscription: %w", err)
	}
	if path(d.Request) != p {
		return nil, ErrForged
	}
	var r Request
	if err := json.Unmarshal([]byte(d.Request), &r); err != nil {
		return nil, fmt.Errorf("read the request: %w", err)
	}
	return &r, nil
}

// plan is a request understood.
type plan struct {
	*Request
	selectors [][]*labels.Matcher
	span      time.Duration // that the expression looks back
	key       string
	hosts     []string // that it names
}

const (
	lookback = 5 * time.Minute // as Prometheus's
	maxSpan  = time.Hour       // that a live panel remembers
	maxKey   = 255             // AMQP 0-9-1 §4.2.5.3: a short string
)

var promQL = parser.NewParser(parser.Options{})

// Check tells whether a request can be followed.
func (r *Request) Check() error {
	_, err := newPlan(r)
	return err
}

func newPlan(r *Request) (*plan, error) {
	expr, err := promQL.ParseExpr(r.Expr)
	if err != nil {
		return nil, fmt.Errorf("the expression is not PromQL: %w", err)
	}
	if t := expr.Type(); t != parser.ValueTypeVector && t != parser.ValueTypeScalar {
		return nil, fmt.Errorf("the expression gives a %s; a live panel needs one value for each series", parser.DocumentedType(t))
	}
	p := &plan{Request: r, selectors: parser.ExtractSelectors(expr)}
	if p.span, err = reach(expr); err != nil {
		return nil, err
	}
	p.hosts = p.named("instance")
	p.key = r.Key
	if p.key == "" {
		p.key = p.madeKey()
	}
	if len(p.key) > maxKey {
		return nil, fmt.Errorf("the key has %d bytes, more than %d", len(p.key), maxKey)
	}
	return p, nil
}

// reach is how far back an expression looks.
func reach(expr parser.Expr) (time.Duration, error) {
	var most time.Duration
	var problem error
	parser.Inspect(expr, func(node parser.Node, path []parser.Node) error {
		s, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		if s.Timestamp != nil || s.StartOrEnd != 0 {
			problem = errors.New("the modifier @ stands still; a live panel cannot")
		}
		far := lookback + s.OriginalOffset
		for _, n := range path {
			switch n := n.(type) {
			case *parser.MatrixSelector:
				far += n.Range
			case *parser.SubqueryExpr:
				far += n.Range + n.OriginalOffset
			}
		}
		most = max(most, far)
		return nil
	})
	if problem == nil && most > maxSpan {
		problem = fmt.Errorf("the expression looks back %s, more than the %s that a live panel remembers", model.Duration(most), model.Duration(maxSpan))
	}
	return most, problem
}

// named lists the values of a label if every selector names one.
func (p *plan) named(label string) []string {
	var all []string
	for _, matchers := range p.selectors {
		value := ""
		for _, m := range matchers {
			if m.Name == label && m.Type == labels.MatchEqual {
				value = m.Value
			}
		}
		if value == "" {
			return nil
		}
		all = append(all, value)
	}
	return all
}

// madeKey binds for the one group and host that the expression names, if any.
func (p *plan) madeKey() string {
	group, host := one(p.named("group")), one(p.hosts)
	if group == "*" && host == "*" {
		return "#"
	}
	return group + "." + host + ".#"
}

// one is the word of a key for the only name, or the one for any.
func one(names []string) string {
	if len(names) == 0 || slices.ContainsFunc(names, func(n string) bool { return n != names[0] }) {
		return "*"
	}
	return telemetry.Word(names[0])
}

// word is the n-th word of the key; "" if it is any, or not there.
func (p *plan) word(n int) string {
	words := strings.Split(p.key, ".")
	if n >= len(words) || slices.Contains(words[:n], "#") || words[n] == "*" || words[n] == "#" {
		return ""
	}
	return words[n]
}
