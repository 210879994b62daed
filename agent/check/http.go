package check

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"regexp"
	"slices"
	"sync"
	"time"

	"thump/internal/config"
	"thump/internal/telemetry"
)

// HTTP asks a web server. No answer, a wrong status or a wrong body is critical.
type HTTP struct {
	// URL to ask.
	URL string `yaml:"url"`
	// Method of the request; default GET.
	Method string `yaml:"method"`
	// Headers of the request; Host is the name asked for.
	Headers map[string]string `yaml:"headers"`
	// Body of the request.
	Body string `yaml:"body"`
	// Status codes that are good; default: 200 to 299.
	Status []int `yaml:"status"`
	// Match is a regular expression that must be found in the answer's body.
	Match *Regexp `yaml:"match"`
	// NoMatch is one that must not be found in it.
	NoMatch *Regexp `yaml:"no_match"`
	// NoFollow takes a redirection as the answer instead of following up to five.
	NoFollow bool `yaml:"no_follow"`
	// MaxBody is how much of the answer is read; default 1MiB, at most 16MiB.
	MaxBody config.Bytes `yaml:"max_body"`
	// CAFile holds the certificate authorities to trust instead of the system's.
	CAFile string `yaml:"ca_file"`
	// Insecure trusts any certificate.
	Insecure bool `yaml:"insecure"`

	Latency `yaml:",inline"`
	Expiry  `yaml:",inline"`
}

// Regexp is a regular expression that is searched for (RE2 syntax).
type Regexp struct{ regexp.Regexp }

// UnmarshalText compiles a regular expression.
func (r *Regexp) UnmarshalText(b []byte) error {
	re, err := regexp.Compile(string(b))
	if err != nil {
		return fmt.Errorf("compile regular expression: %w", err)
	}
	r.Regexp = *re
	return nil
}

const defaultMaxBody = 1 << 20

func (c *HTTP) validate(p *problems) {
	validateURL(p, "http", c.URL)
	c.Latency.validate(p, "http")
	c.Expiry.validate(p, "http")
	if c.MaxBody < 0 || c.MaxBody > maxMaxScrape {
		p.add("http: max_body: %s, want at most %s", c.MaxBody, config.Bytes(maxMaxScrape))
	}
	for _, code := range c.Status {
		if code < 100 || code > 599 {
			p.add("http: status: %d, want 100 to 599", code)
		}
	}
}

func (c *HTTP) open(_ *Spec, _ Env) (runner, error) {
	client, err := newClient(c.CAFile, c.Insecure, !c.NoFollow)
	if err != nil {
		return nil, err
	}
	return &request{c, client}, nil
}

// request runs an HTTP. It is static after construction.
type request struct {
	spec   *HTTP
	client *http.Client
}

// run implements runner.
func (r *request) run(ctx context.Context, o *output) (verdict, error) {
	var t timing
	req, err := newRequest(httptrace.WithClientTrace(ctx, t.trace()), cmp.Or(r.spec.Method, http.MethodGet), r.spec.URL, r.spec.Body, r.spec.Headers)
	if err != nil {
		return verdict{}, err
	}
	start := time.Now()
	resp, err := r.client.Do(req)
	if err != nil {
		return verdict{critical, err.Error()}, nil
	}
	defer resp.Body.Close() // read only: nothing to lose
	body, err := io.ReadAll(io.LimitReader(resp.Body, int64(cmp.Or(r.spec.MaxBody, defaultMaxBody))))
	took := time.Since(start)
	if err != nil {
		return verdict{critical, "read answer: " + err.Error()}, nil
	}
	t.add(o, start, took)
	o.put("thump_http_status_code", "Status of the answer.", float64(resp.StatusCode))
	o.put("thump_http_response_bytes", "Bytes of the answer's body that were read.", float64(len(body)))
	v := verdict{ok, resp.Proto + " " + resp.Status}
	r.judge(&v, resp, body)
	r.spec.Latency.judge(&v, "answer", took)
	if resp.TLS != nil {
		addCertificate(o, resp.TLS)
		r.spec.Expiry.judge(&v, chainEnd(resp.TLS), time.Now())
	}
	return v, nil
}

func (r *request) judge(v *verdict, resp *http.Response, body []byte) {
	good := resp.StatusCode >= 200 && resp.StatusCode < 300
	if len(r.spec.Status) > 0 {
		good = slices.Contains(r.spec.Status, resp.StatusCode)
	}
	if !good {
		v.worse(critical, "%s %s", resp.Proto, resp.Status)
	}
	if r.spec.Match != nil && !r.spec.Match.Match(body) {
		v.worse(critical, "%q is not in the answer", r.spec.Match.String())
	}
	if r.spec.NoMatch != nil && r.spec.NoMatch.Match(body) {
		v.worse(critical, "%q is in the answer", r.spec.NoMatch.String())
	}
}

// timing is when the parts of the last request ended, redirections included.
type timing struct {
	mu                                sync.Mutex // connections are tried side by side
	dns, connected, secured, answered time.Time  // guarded by mu
}

func (t *timing) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		DNSDone:              func(httptrace.DNSDoneInfo) { t.mark(&t.dns) },
		ConnectDone:          func(_, _ string, _ error) { t.mark(&t.connected) },
		TLSHandshakeDone:     func(tls.ConnectionState, error) { t.mark(&t.secured) },
		GotFirstResponseByte: func() { t.mark(&t.answered) },
	}
}

func (t *timing) mark(at *time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	*at = time.Now()
}

// add adds how long each part took that there was.
func (t *timing) add(o *output, start time.Time, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	end := start.Add(took)
	last := start
	for _, p := range []struct {
		phase string
		at    time.Time
	}{{"resolve", t.dns}, {"connect", t.connected}, {"tls", t.secured}, {"processing", t.answered}, {"transfer", end}} {
		if p.at.Before(last) { // there was none
			continue
		}
		o.put("thump_http_duration_seconds", "How long a part of the request took.", p.at.Sub(last).Seconds(),
			telemetry.Label{Name: "phase", Value: p.phase})
		last = p.at
	}
}
