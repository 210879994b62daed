package contract

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// shipped is as much of a dashboard as has queries.
type shipped struct {
	Title  string
	Panels []struct {
		Title   string
		Targets []json.RawMessage
	}
}

// eventful are expressions that have data only once something has happened.
var eventful = map[string]string{
	`rate(thump_agent_dropped_batches_total[$__rate_interval])`: "an agent counts from its first batch that is dropped",
}

// TestDashboardsHaveData asks every query of the dashboards that we ship as a
// panel of Grafana's does, of a pipeline that has just begun.
func TestDashboardsHaveData(t *testing.T) {
	p := up(t)
	c := start(t).configure(p.settings())
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	variables := strings.NewReplacer("$host", host, "$group", ".*")
	files, err := filepath.Glob("../../../configs/grafana/dashboards/*.json")
	if err != nil || len(files) < 4 {
		t.Fatalf("the dashboards are %v, %v", files, err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var d shipped
		if err := json.Unmarshal(raw, &d); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		asked := 0
		for _, panel := range d.Panels {
			for _, target := range panel.Targets {
				asked++
				query := variables.Replace(string(target))
				eventually(t, fmt.Sprintf("%s, panel %q", d.Title, panel.Title), func() error { return c.answered(query) })
			}
		}
		if asked == 0 {
			t.Errorf("%s asks nothing", file)
		}
	}
}

// answered tells whether a query has data.
func (c *configured) answered(query string) error {
	var q struct{ Expr string }
	if err := json.Unmarshal([]byte(query), &q); err != nil {
		return err
	}
	frames, problem := c.ask(query, "", lately(15*time.Minute))
	switch _, may := eventful[q.Expr]; {
	case problem != "":
		return fmt.Errorf("%s: %s", q.Expr, problem)
	case !may && !hasData(frames):
		return fmt.Errorf("%s has no data", q.Expr)
	}
	return nil
}

func hasData(frames data.Frames) bool {
	for _, f := range frames {
		if len(f.Fields) > 1 && f.Rows() > 0 {
			return true
		}
	}
	return false
}
