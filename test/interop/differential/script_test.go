package differential

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
)

// section is what stands between two `clear` of one of Prometheus's own tests:
// samples, and what is asked of them. Its times begin at 0.
type section struct {
	file      string
	samples   []sample
	questions []question
	length    int64 // milliseconds
}

// The commands of those tests, promql/promqltest/README.md.
var (
	loads    = regexp.MustCompile(`^load(?:_with_nhcb)?\s+(\S+)$`)
	instants = regexp.MustCompile(`^eval(?:_[a-z]+)?\s+instant\s+(?:at\s+(\S+)\s+)?(.+)$`)
	ranges   = regexp.MustCompile(`^eval(?:_[a-z]+)?\s+range\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)\s+(.+)$`)
)

// sections reads the tests in the sources of the Prometheus of go.mod.
func sections(t *testing.T) (all []section) {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/prometheus/prometheus").Output()
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(strings.TrimSpace(string(dir)) + "/promql/promqltest/testdata/*.test")
	if err != nil || len(files) == 0 {
		t.Fatal("no tests of PromQL in the sources of Prometheus", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range clears.Split(string(text), -1) {
			s, err := readSection(part)
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			s.file = filepath.Base(file)
			all = append(all, s)
		}
	}
	return all
}

var (
	clears   = regexp.MustCompile(`(?m)^clear\s*$`)
	comments = regexp.MustCompile(`(?m)^\s*#.*$`)
)

func readSection(text string) (s section, err error) {
	gap := int64(0) // of the samples of the load that is open; 0 if there is none
	for line := range strings.Lines(comments.ReplaceAllString(text, "#")) {
		line = strings.TrimSpace(line)
		switch {
		case line == "#", strings.Contains(line, "@st"):
		case line == "":
			gap = 0
		case loads.MatchString(line):
			gap, err = milliseconds(loads.FindStringSubmatch(line)[1])
		case strings.HasPrefix(line, "eval"):
			gap = 0
			err = s.evaluate(line)
		case gap > 0:
			err = s.load(line, gap)
		}
		if err != nil {
			return s, fmt.Errorf("%s: %w", line, err)
		}
	}
	return s, nil
}

func milliseconds(s string) (int64, error) {
	d, err := model.ParseDuration(s)
	return time.Duration(d).Milliseconds(), err
}

// load takes a series such as `m{a="b"} 0+1x10`. Native histograms are left out.
func (s *section) load(line string, gap int64) error {
	series, values, err := parser.NewParser(promqltest.TestParserOpts).ParseSeriesDesc(line)
	if err != nil {
		return err
	}
	for i, v := range values {
		if v.Omitted || v.Histogram != nil {
			continue
		}
		at := int64(i) * gap
		s.samples = append(s.samples, sample{series, at, v.Value})
		s.length = max(s.length, at)
	}
	return nil
}

func (s *section) evaluate(line string) error {
	var q question
	var times []string
	if m := ranges.FindStringSubmatch(line); m != nil {
		times, q.expr = m[1:4], m[4]
	} else if m := instants.FindStringSubmatch(line); m != nil {
		if m[1] == "" {
			m[1] = "0"
		}
		times, q.expr = []string{"0", m[1], "0"}, m[2]
	} else {
		return fmt.Errorf("not understood")
	}
	for i, to := range []*int64{&q.start, &q.end, &q.step} {
		v, err := milliseconds(times[i])
		if err != nil {
			return err
		}
		*to = v
	}
	s.questions = append(s.questions, q)
	s.length = max(s.length, q.end)
	return nil
}

// at moves a section to a time. Samples are a millisecond later than what is
// asked is, so that none is at the very beginning of a range: whether such one
// belongs to it changed with Prometheus 3.0.
func (s *section) at(base int64) {
	for i := range s.samples {
		s.samples[i].at += base + 1
	}
	for i := range s.questions {
		q := &s.questions[i]
		q.start += base + 2
		q.end += base + 2
		q.expr = fixed.ReplaceAllStringFunc(q.expr, func(text string) string {
			v, err := strconv.ParseFloat(strings.TrimSpace(text[1:]), 64)
			if err != nil {
				return text
			}
			return "@ " + strconv.FormatFloat(v+float64(base+2)/1000, 'f', 3, 64)
		})
	}
}

// fixed is a moment in an expression.
var fixed = regexp.MustCompile(`@ *[0-9.]+`)
