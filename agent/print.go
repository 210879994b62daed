package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"thump/agent/probe"
	"thump/agent/spool"
	"thump/internal/telemetry"
)

// Print runs every probe of the template once and writes what would be sent as
// Prometheus text. It publishes nothing and needs no folder.
func Print(ctx context.Context, cfg Config, version string, w io.Writer) error {
	if err := cfg.check(); err != nil {
		return err
	}
	probes, failed := probe.All(probe.Options{})
	probes = append(probes, &self{
		version: version,
		stats:   func() spool.Stats { return spool.Stats{} },
		skipped: func() uint64 { return 0 },
		applied: func() standing { return standing{revision: ownRevision} },
	})
	var f families
	tasks, refused := newToolbox(&cfg, probes).tasks(cfg.Template)
	for _, r := range refused {
		failed = errors.Join(failed, fmt.Errorf("%s: %s", r.Name, r.Reason))
	}
	for _, t := range tasks {
		sink := probe.NewSink(cfg.common())
		if err := probe.Measure(ctx, t.probe, sink, time.Now()); err != nil && failed == nil {
			failed = err
		}
		f.add(sink.Series())
	}
	if _, err := w.Write(f.text()); err != nil {
		return fmt.Errorf("write metrics: %w", err)
	}
	return failed
}

// families are series by metric, in the order in which the metrics came; the text
// format wants all series of a metric together.
type families struct {
	names  []string
	series map[string][]telemetry.Series
}

func (f *families) add(series []telemetry.Series) {
	if f.series == nil {
		f.series = map[string][]telemetry.Series{}
	}
	for _, s := range series {
		name := s.Name()
		if _, ok := f.series[name]; !ok {
			f.names = append(f.names, name)
		}
		f.series[name] = append(f.series[name], s)
	}
}

func (f *families) text() []byte {
	var b bytes.Buffer
	for _, name := range f.names {
		first := f.series[name][0]
		fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s %s\n", name, helpEscape.Replace(first.Help), name, typeName(first.Type))
		for _, s := range f.series[name] {
			writeSeries(&b, &s)
		}
	}
	return b.Bytes()
}

var (
	helpEscape  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	valueEscape = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
)

func typeName(t telemetry.Type) string {
	switch t {
	case telemetry.Counter:
		return "counter"
	case telemetry.Gauge:
		return "gauge"
	}
	return "untyped"
}

func writeSeries(b *bytes.Buffer, s *telemetry.Series) {
	b.WriteString(s.Name())
	separator := "{"
	for _, l := range s.Labels {
		if l.Name != telemetry.NameLabel {
			fmt.Fprintf(b, `%s%s="%s"`, separator, l.Name, valueEscape.Replace(l.Value))
			separator = ","
		}
	}
	if separator == "," {
		b.WriteByte('}')
	}
	b.WriteByte(' ')
	b.WriteString(strconv.FormatFloat(s.Samples[0].Value, 'g', -1, 64))
	b.WriteByte('\n')
}
