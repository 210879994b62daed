package differential

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"testing"

	"github.com/golang/snappy"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/prompb"
)

// sample is one value of a series.
type sample struct {
	series labels.Labels
	at     int64 // Unix milliseconds
	value  float64
}

// requestSamples bounds one request.
const requestSamples = 5000

// write gives samples to servers, in the order of time.
func write(t *testing.T, samples []sample, servers ...server) {
	t.Helper()
	slices.SortStableFunc(samples, func(a, b sample) int { return int(a.at - b.at) })
	for part := range slices.Chunk(samples, requestSamples) {
		body := encode(t, part)
		for _, s := range servers {
			if err := post(t, s.url+"/api/v1/write", body); err != nil {
				t.Fatalf("%s: %v", s.name, err)
			}
		}
	}
}

func encode(t *testing.T, samples []sample) []byte {
	t.Helper()
	var w prompb.WriteRequest
	index := map[string]int{}
	for _, s := range samples {
		key := s.series.String()
		i, known := index[key]
		if !known {
			i = len(w.Timeseries)
			index[key] = i
			w.Timeseries = append(w.Timeseries, prompb.TimeSeries{Labels: prompb.FromLabels(s.series, nil)})
		}
		w.Timeseries[i].Samples = append(w.Timeseries[i].Samples, prompb.Sample{Timestamp: s.at, Value: s.value})
	}
	b, err := w.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return snappy.Encode(nil, b)
}

func post(t *testing.T, url string, body []byte) error {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("Content-Encoding", "snappy")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode/100 != 2 {
		err = fmt.Errorf("it answers %s: %s", res.Status, text)
	}
	return err
}

// arrived waits until thump's history has taken a number of samples: it answers
// a write when the broker has them.
func arrived(t *testing.T, s server, n int) {
	t.Helper()
	eventually(t, "samples of history", func() error {
		res, err := http.Get(s.url + "/metrics")
		if err != nil {
			return err
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			return err
		}
		if want := fmt.Appendf(nil, "thump_collector_samples_appended_total{component=\"collector\"} %d\n", n); !bytes.Contains(text, want) {
			return fmt.Errorf("no %q in\n%s", want, regexp.MustCompile("(?m)^thump_collector_samples_.*$").FindAll(text, -1))
		}
		return nil
	})
}
