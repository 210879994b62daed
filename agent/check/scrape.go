package check

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"

	"thump/agent/exposition"
	"thump/internal/config"
)

// Scrape reads an endpoint of the Prometheus text format or OpenMetrics. Its
// series keep the host's instance and group; their label job is the check's name
// unless Labels say otherwise. An endpoint that does not answer is critical.
type Scrape struct {
	// URL of the endpoint.
	URL string `yaml:"url"`
	// Headers of the request.
	Headers map[string]string `yaml:"headers"`
	// Keep is a regular expression of the metrics to take; default: all.
	Keep *Pattern `yaml:"keep"`
	// Drop is one of the metrics to leave out.
	Drop *Pattern `yaml:"drop"`
	// DropLabels are labels to leave out.
	DropLabels []string `yaml:"drop_labels"`
	// MaxBody is the largest answer; default 4MiB, at most 16MiB.
	MaxBody config.Bytes `yaml:"max_body"`
	// CAFile holds the certificate authorities to trust instead of the system's.
	CAFile string `yaml:"ca_file"`
	// Insecure trusts any certificate.
	Insecure bool `yaml:"insecure"`
}

// Pattern is a regular expression that must match all of a text (RE2 syntax).
type Pattern struct{ regexp.Regexp }

// UnmarshalText compiles a pattern.
func (p *Pattern) UnmarshalText(b []byte) error {
	re, err := regexp.Compile("^(?:" + string(b) + ")$")
	if err != nil {
		return fmt.Errorf("compile pattern: %w", err)
	}
	p.Regexp = *re
	return nil
}

const (
	defaultMaxScrape = 4 << 20
	maxMaxScrape     = 16 << 20
	acceptMetrics    = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)

func (c *Scrape) validate(p *problems) {
	validateURL(p, "scrape", c.URL)
	if c.MaxBody < 0 || c.MaxBody > maxMaxScrape {
		p.add("scrape: max_body: %s, want at most %s", c.MaxBody, config.Bytes(maxMaxScrape))
	}
}

func (c *Scrape) open(_ *Spec, _ Env) (runner, error) {
	client, err := newClient(c.CAFile, c.Insecure, true)
	if err != nil {
		return nil, err
	}
	return &scraper{c, client}, nil
}

// scraper runs a Scrape. It is static after construction.
type scraper struct {
	spec   *Scrape
	client *http.Client
}

// run implements runner.
func (c *scraper) run(ctx context.Context, o *output) (verdict, error) {
	req, err := newRequest(ctx, http.MethodGet, c.spec.URL, "", c.spec.Headers)
	if err != nil {
		return verdict{}, err
	}
	req.Header.Set("Accept", acceptMetrics)
	resp, err := c.client.Do(req)
	if err != nil {
		return verdict{critical, err.Error()}, nil
	}
	defer resp.Body.Close() // read only: nothing to lose
	if resp.StatusCode != http.StatusOK {
		return verdict{critical, "answers " + resp.Status}, nil
	}
	limit := cmp.Or(c.spec.MaxBody, defaultMaxScrape)
	body, err := io.ReadAll(io.LimitReader(resp.Body, int64(limit)+1))
	if err != nil {
		return verdict{critical, err.Error()}, nil
	}
	if len(body) > int(limit) {
		return verdict{}, fmt.Errorf("answer of more than %s", limit)
	}
	before := o.count
	if err := exposition.Read(string(body), func(m *exposition.Sample) { c.add(o, m) }); err != nil {
		return verdict{}, fmt.Errorf("read metrics: %w", err)
	}
	if o.count == before && o.err == nil {
		return verdict{}, errors.New("no metric was kept")
	}
	return verdict{ok, fmt.Sprintf("%d series", o.count-before)}, nil
}

// add adds a sample that is kept.
func (c *scraper) add(o *output, m *exposition.Sample) {
	if c.spec.Keep != nil && !c.spec.Keep.MatchString(m.Name) || c.spec.Drop != nil && c.spec.Drop.MatchString(m.Name) {
		return
	}
	kept := m.Labels[:0]
	for _, l := range m.Labels {
		if !slices.Contains(c.spec.DropLabels, l.Name) {
			kept = append(kept, l)
		}
	}
	m.Labels = kept
	o.add(fromExposition(m))
}
