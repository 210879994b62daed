package check

import (
	"time"

	"thump/internal/config"
)

// Latency says how long is too long; zero is no limit.
type Latency struct {
	// Warn is the time from which on the check is a warning.
	Warn config.Duration `yaml:"warn"`
	// Crit is the time from which on it is critical.
	Crit config.Duration `yaml:"crit"`
}

// judge compares a duration.
func (l *Latency) judge(v *verdict, what string, took time.Duration) {
	switch {
	case l.Crit > 0 && took >= l.Crit.D():
		v.worse(critical, "%s took more than %s", what, l.Crit)
	case l.Warn > 0 && took >= l.Warn.D():
		v.worse(warning, "%s took more than %s", what, l.Warn)
	}
}

func (l *Latency) validate(p *problems, kind string) {
	validatePair(p, kind+": warn, crit", l.Warn, l.Crit)
}

// validatePair checks two limits of which the second is the worse.
func validatePair(p *problems, what string, warn, crit config.Duration) {
	if warn < 0 || crit < 0 || warn > 0 && crit > 0 && warn > crit {
		p.add("%s: %s and %s, want the first to be less", what, warn, crit)
	}
}

// Expiry says how soon a certificate may end; zero is no limit.
type Expiry struct {
	// CertWarn is the rest of its time from which on a certificate is a warning; for example 14d.
	CertWarn config.Duration `yaml:"cert_warn"`
	// CertCrit is the rest of its time from which on it is critical.
	CertCrit config.Duration `yaml:"cert_crit"`
}

// judge compares the end of a certificate's time.
func (e *Expiry) judge(v *verdict, end, now time.Time) {
	left := end.Sub(now)
	date := end.UTC().Format(time.DateOnly)
	switch {
	case left <= 0:
		v.worse(critical, "certificate expired on %s", date)
	case e.CertCrit > 0 && left <= e.CertCrit.D(), e.CertWarn > 0 && left <= e.CertWarn.D():
		s := warning
		if e.CertCrit > 0 && left <= e.CertCrit.D() {
			s = critical
		}
		v.worse(s, "certificate expires on %s", date)
	}
}

func (e *Expiry) validate(p *problems, kind string) {
	if e.CertWarn < 0 || e.CertCrit < 0 || e.CertWarn > 0 && e.CertWarn < e.CertCrit {
		p.add("%s: cert_warn, cert_crit: %s and %s, want the first to be more", kind, e.CertWarn, e.CertCrit)
	}
}

// Span says which values are good, in Nagios's notation of ranges.
type Span struct {
	// Warn is the range outside which the check is a warning.
	Warn Range `yaml:"warn"`
	// Crit is the range outside which it is critical.
	Crit Range `yaml:"crit"`
}

// judge compares a value.
func (s *Span) judge(v *verdict, what string, value float64) {
	switch {
	case !s.Crit.Good(value):
		v.worse(critical, "%s is %g", what, value)
	case !s.Warn.Good(value):
		v.worse(warning, "%s is %g", what, value)
	}
}
