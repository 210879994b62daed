package check

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

// DNS asks for a name. No answer, or one that lacks what is expected, is critical.
type DNS struct {
	// Query is the name to ask for; an address for PTR.
	Query string `yaml:"query"`
	// Type is A (default), AAAA, CNAME, MX, NS, TXT or PTR.
	Type string `yaml:"type"`
	// Server is HOST or HOST:PORT; default: those of the system.
	Server string `yaml:"server"`
	// Expect lists values that must be among the answers.
	Expect []string `yaml:"expect"`

	Latency `yaml:",inline"`
}

// lookups are the types of records.
var lookups = map[string]func(ctx context.Context, r *net.Resolver, name string) ([]string, error){
	"A": func(ctx context.Context, r *net.Resolver, name string) ([]string, error) {
		return addresses(ctx, r, "ip4", name)
	},
	"AAAA": func(ctx context.Context, r *net.Resolver, name string) ([]string, error) {
		return addresses(ctx, r, "ip6", name)
	},
	"CNAME": func(ctx context.Context, r *net.Resolver, name string) ([]string, error) {
		target, err := r.LookupCNAME(ctx, name)
		return []string{target}, err
	},
	"MX": func(ctx context.Context, r *net.Resolver, name string) (all []string, err error) {
		records, err := r.LookupMX(ctx, name)
		for _, mx := range records {
			all = append(all, mx.Host)
		}
		return all, err
	},
	"NS": func(ctx context.Context, r *net.Resolver, name string) (all []string, err error) {
		records, err := r.LookupNS(ctx, name)
		for _, ns := range records {
			all = append(all, ns.Host)
		}
		return all, err
	},
	"TXT": func(ctx context.Context, r *net.Resolver, name string) ([]string, error) {
		return r.LookupTXT(ctx, name)
	},
	"PTR": func(ctx context.Context, r *net.Resolver, name string) ([]string, error) {
		return r.LookupAddr(ctx, name)
	},
}

func addresses(ctx context.Context, r *net.Resolver, network, name string) (all []string, err error) {
	ips, err := r.LookupIP(ctx, network, name)
	for _, ip := range ips {
		all = append(all, ip.String())
	}
	return all, err
}

func (c *DNS) validate(p *problems) {
	if c.Query == "" {
		p.add("dns: query: is empty")
	}
	if lookups[c.kind()] == nil {
		p.add("dns: type: %q, want A, AAAA, CNAME, MX, NS, TXT or PTR", c.Type)
	}
	c.Latency.validate(p, "dns")
}

func (c *DNS) kind() string { return cmp.Or(c.Type, "A") }

func (c *DNS) open(_ *Spec, _ Env) (runner, error) {
	r := &net.Resolver{PreferGo: true}
	if c.Server == "" {
		return &resolver{c, r}, nil
	}
	server := c.Server
	if _, _, err := net.SplitHostPort(server); err != nil {
		server = net.JoinHostPort(server, "53")
	}
	r.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, server)
	}
	return &resolver{c, r}, nil
}

// resolver runs a DNS. It is static after construction.
type resolver struct {
	spec *DNS
	dns  *net.Resolver
}

// run implements runner.
func (r *resolver) run(ctx context.Context, o *output) (verdict, error) {
	start := time.Now()
	answers, err := lookups[r.spec.kind()](ctx, r.dns, r.spec.Query)
	took := time.Since(start)
	if missing := (*net.DNSError)(nil); err != nil && errors.As(err, &missing) && missing.IsNotFound {
		answers = nil
	} else if err != nil {
		return verdict{critical, err.Error()}, nil
	}
	o.put("thump_dns_duration_seconds", "How long the answer took.", took.Seconds())
	o.put("thump_dns_answers", "Records in the answer.", float64(len(answers)))
	slices.Sort(answers)
	v := verdict{ok, fmt.Sprintf("%s has %s", r.spec.Query, strings.Join(answers, ", "))}
	if len(answers) == 0 {
		v.worse(critical, "%s has no record %s", r.spec.Query, r.spec.kind())
	}
	for _, want := range r.spec.Expect {
		if !slices.Contains(answers, want) && !slices.Contains(answers, want+".") {
			v.worse(critical, "%s lacks %s", r.spec.Query, want)
		}
	}
	r.spec.judge(&v, "answer", took)
	return v, nil
}
