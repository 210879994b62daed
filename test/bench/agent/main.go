package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

var (
	bin       = flag.String("bin", "bin", "folder of thump and thump-agent")
	template  = flag.String("template", "configs/templates/default.yaml", "template; all of it runs at the interval")
	intervals = flag.String("intervals", "10s,1s", "intervals, by comma")
	settle    = flag.Duration("settle", 15*time.Second, "time before measuring")
	length    = flag.Duration("length", time.Minute, "time of measuring")
)

func main() {
	flag.Parse()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench-agent:", err)
		os.Exit(1)
	}
}

func run() error {
	fmt.Printf("%-34s %8s %12s %10s %10s %12s\n", "", "interval", "CPU s / 60 s", "RSS MiB", "anon MiB", "series")
	for word := range strings.SplitSeq(*intervals, ",") {
		interval, err := time.ParseDuration(word)
		if err != nil {
			return err
		}
		if err := compare(interval); err != nil {
			return fmt.Errorf("every %s: %w", interval, err)
		}
	}
	info, err := os.Stat(filepath.Join(*bin, "thump-agent"))
	if err != nil {
		return err
	}
	fmt.Printf("thump-agent on disk: %.1f MiB\n", float64(info.Size())/(1<<20))
	return nil
}

// compare runs both at an interval and prints their rows.
func compare(interval time.Duration) error {
	dir, err := os.MkdirTemp("", "bench-agent")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	amqp, web, page := address(), address(), address()
	bus := "amqp://guest:guest@" + amqp + "/"
	config, err := writeConfig(dir, bus, interval)
	if err != nil {
		return err
	}
	broker, err := start(dir, *bin+"/thump", "broker", "--amqp", amqp, "--http", address(), "--management", address(), "--data-dir", dir+"/broker")
	if err != nil {
		return err
	}
	defer broker.end()
	if err := await(func() error { return dial(amqp) }); err != nil {
		return err
	}
	collector, err := start(dir, *bin+"/thump", "collector", "--bus", bus, "--http", web, "--data-dir", dir+"/collector")
	if err != nil {
		return err
	}
	defer collector.end()
	agent, err := start(dir, *bin+"/thump-agent", "run", "--config", config)
	if err != nil {
		return err
	}
	defer agent.end()
	exporter, err := start(dir, "prometheus-node-exporter", "--web.listen-address="+page)
	if errors.Is(err, exec.ErrNotFound) {
		return errors.New("prometheus-node-exporter is missing: apt-get install prometheus-node-exporter")
	}
	if err != nil {
		return err
	}
	defer exporter.end()

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go scrapeEvery(ctx, "http://"+page+"/metrics", interval)
	time.Sleep(*settle)
	rows := []*row{{name: "thump-agent", process: agent}, {name: "node_exporter, scraped", process: exporter}}
	for _, r := range rows {
		if err := r.begin(); err != nil {
			return err
		}
	}
	time.Sleep(*length)
	for _, r := range rows {
		if err := r.finish(); err != nil {
			return err
		}
	}
	if rows[0].series, err = published("http://" + web); err != nil {
		return fmt.Errorf("count series in history: %w", err)
	}
	if rows[1].series, err = scrape("http://" + page + "/metrics"); err != nil {
		return err
	}
	for _, r := range rows {
		fmt.Printf("%-34s %8s %12.3f %10.1f %10.1f %12d\n", r.name, interval, r.spent.Seconds()*60/length.Seconds(),
			float64(r.rss)/1024, float64(r.anonymous)/1024, r.series)
	}
	return nil
}

// row is what is measured of one process.
type row struct {
	name           string
	process        *process
	spent          time.Duration
	rss, anonymous int
	series         int
}

func (r *row) begin() (err error) {
	r.spent, err = r.process.cpu()
	return err
}

func (r *row) finish() error {
	now, err := r.process.cpu()
	if err != nil {
		return err
	}
	r.spent = now - r.spent
	r.rss, r.anonymous, err = r.process.memory()
	return err
}

var everyInterval = regexp.MustCompile(`interval: \w+`)

func writeConfig(dir, bus string, interval time.Duration) (string, error) {
	text, err := os.ReadFile(*template)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "data_dir: %s/agent\nbus: {urls: [%q]}\nagent:\n  host: bench\n  template_from: file\n  template:\n", dir, bus)
	for line := range strings.Lines(everyInterval.ReplaceAllString(string(text), "interval: "+interval.String())) {
		b.WriteString("    " + line)
	}
	path := filepath.Join(dir, "agent.yaml")
	return path, os.WriteFile(path, []byte(b.String()), 0o600)
}

// address is one on which nobody listens.
func address() string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func dial(addr string) error {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	return c.Close()
}

func await(try func() error) error {
	deadline := time.Now().Add(30 * time.Second)
	for {
		err := try()
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// published counts the series of the agent that have reached history.
func published(server string) (n int, err error) {
	err = await(func() error {
		res, err := http.Get(server + "/api/v1/query?query=" + url.QueryEscape(`count({instance="bench"})`))
		if err != nil {
			return err
		}
		defer res.Body.Close()
		var answer struct {
			Data struct{ Result []struct{ Value [2]any } }
		}
		if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
			return err
		}
		if len(answer.Data.Result) == 0 {
			return errors.New("none")
		}
		_, err = fmt.Sscan(fmt.Sprint(answer.Data.Result[0].Value[1]), &n)
		return err
	})
	return n, err
}

// scrapeEvery scrapes as Prometheus does.
func scrapeEvery(ctx context.Context, page string, interval time.Duration) {
	t := time.NewTicker(interval)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			_, _ = scrape(page) // the last one tells
		case <-ctx.Done():
			return
		}
	}
}

func scrape(page string) (series int, err error) {
	res, err := http.Get(page) // asks for gzip, as Prometheus does
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() {
		if !strings.HasPrefix(lines.Text(), "#") {
			series++
		}
	}
	_, err = io.Copy(io.Discard, res.Body)
	return series, errors.Join(err, lines.Err())
}
