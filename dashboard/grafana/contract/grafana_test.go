// Package contract drives the plugin's executable over gRPC as Grafana does, with
// a whole pipeline behind it.
package contract

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend/grpcplugin"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"
	"github.com/hashicorp/go-hclog"
	plugin "github.com/hashicorp/go-plugin"

	"thump/dashboard/grafana/live"
	"thump/dashboard/grafana/source"
)

// bin is the folder of the programs under test.
var bin string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "thump-grafana")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		bin = dir
		for where, program := range map[string]string{"../../..": "thump/cmd/thump", "..": "thump/dashboard/grafana/cmd/gpx_thump"} {
			build := exec.Command("go", "build", "-mod=mod", "-o", dir+"/", program)
			build.Dir = where
			if out, err := build.CombinedOutput(); err != nil {
				fmt.Fprintf(os.Stderr, "build %s: %v\n%s", program, err, out)
				return 1
			}
		}
		return m.Run()
	}())
}

// grafana is what Grafana's plugin host is to the plugin.
type grafana struct {
	t           *testing.T
	process     *plugin.Client
	diagnostics grpcplugin.DiagnosticsClient
	data        grpcplugin.DataClient
	resource    grpcplugin.ResourceClient
	stream      grpcplugin.StreamClient
}

// start runs the executable by Grafana's handshake; it ends with the test.
func start(t *testing.T) *grafana {
	t.Helper()
	g := &grafana{t: t, process: plugin.NewClient(&plugin.ClientConfig{
		Cmd: exec.Command(filepath.Join(bin, "gpx_thump")),
		HandshakeConfig: plugin.HandshakeConfig{
			ProtocolVersion: grpcplugin.ProtocolVersion, MagicCookieKey: grpcplugin.MagicCookieKey, MagicCookieValue: grpcplugin.MagicCookieValue,
		},
		VersionedPlugins: map[int]plugin.PluginSet{grpcplugin.ProtocolVersion: {
			"diagnostics": &grpcplugin.DiagnosticsGRPCPlugin{}, "data": &grpcplugin.DataGRPCPlugin{},
			"resource": &grpcplugin.ResourceGRPCPlugin{}, "stream": &grpcplugin.StreamGRPCPlugin{},
		}},
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		StartTimeout:     time.Minute,
		Logger:           hclog.New(&hclog.LoggerOptions{Level: hclog.Error, Output: t.Output()}),
	})}
	t.Cleanup(g.process.Kill)
	c, err := g.process.Client()
	if err != nil {
		t.Fatal("start the plugin: ", err)
	}
	g.diagnostics = dispense[grpcplugin.DiagnosticsClient](t, c, "diagnostics")
	g.data = dispense[grpcplugin.DataClient](t, c, "data")
	g.resource = dispense[grpcplugin.ResourceClient](t, c, "resource")
	g.stream = dispense[grpcplugin.StreamClient](t, c, "stream")
	return g
}

// under is the same for a test within the test.
func (g *grafana) under(t *testing.T) *grafana {
	inner := *g
	inner.t = t
	return &inner
}

func dispense[T any](t *testing.T, c plugin.ClientProtocol, name string) T {
	t.Helper()
	raw, err := c.Dispense(name)
	if err != nil {
		t.Fatal(err)
	}
	client, ok := raw.(T)
	if !ok {
		t.Fatalf("%s is a %T", name, raw)
	}
	return client
}

// configured is a data source as the user has configured it.
type configured struct {
	*grafana
	context *pluginv2.PluginContext
}

type settings struct {
	url, amqp, user, password string
	tls                       map[string]any
	ca                        string
}

var serial int64

func (g *grafana) configure(s settings) *configured {
	g.t.Helper()
	serial++
	options := map[string]any{"amqpUrl": s.amqp, "amqpUser": s.user}
	for k, v := range s.tls {
		options[k] = v
	}
	raw, err := json.Marshal(options)
	if err != nil {
		g.t.Fatal(err)
	}
	return &configured{g, &pluginv2.PluginContext{
		OrgId: 1, PluginId: source.PluginID,
		DataSourceInstanceSettings: &pluginv2.DataSourceInstanceSettings{
			Uid: fmt.Sprint("uid", serial), Name: "thump", Url: s.url, JsonData: raw,
			DecryptedSecureJsonData: map[string]string{"amqpPassword": s.password, "tlsCACert": s.ca},
		},
	}}
}

// health checks, and returns whether all is well and what is said.
func (c *configured) health() (bool, string) {
	c.t.Helper()
	res, err := c.diagnostics.CheckHealth(c.t.Context(), &pluginv2.CheckHealthRequest{PluginContext: c.context})
	if err != nil {
		c.t.Fatal("check health: ", err)
	}
	return res.Status == pluginv2.CheckHealthResponse_OK, res.Message
}

// span is the range and the width of a panel.
type span struct {
	from, to time.Time
	points   int64
	interval time.Duration
}

func lately(d time.Duration) span {
	now := time.Now()
	return span{now.Add(-d), now, 500, time.Second}
}

// ask runs one query and returns its frames, or what it failed by.
func (c *configured) ask(query string, kind string, s span) (data.Frames, string) {
	c.t.Helper()
	res, err := c.data.QueryData(c.t.Context(), &pluginv2.QueryDataRequest{PluginContext: c.context, Queries: []*pluginv2.DataQuery{{
		RefId: "A", QueryType: kind, Json: []byte(query), MaxDataPoints: s.points, IntervalMS: s.interval.Milliseconds(),
		TimeRange: &pluginv2.TimeRange{FromEpochMS: s.from.UnixMilli(), ToEpochMS: s.to.UnixMilli()},
	}}})
	if err != nil {
		return nil, err.Error()
	}
	one := res.Responses["A"]
	if one == nil {
		c.t.Fatal("no answer for A")
	}
	frames, err := data.UnmarshalArrowFrames(one.Frames)
	if err != nil {
		c.t.Fatal("decode frames: ", err)
	}
	return frames, one.Error
}

func (c *configured) must(query, kind string, s span) data.Frames {
	c.t.Helper()
	frames, problem := c.ask(query, kind, s)
	if problem != "" {
		c.t.Fatalf("%s: %s", query, problem)
	}
	return frames
}

// get calls a resource.
func (c *configured) get(path string, into any) (int32, string) {
	c.t.Helper()
	s, err := c.resource.CallResource(c.t.Context(), &pluginv2.CallResourceRequest{PluginContext: c.context, Method: http.MethodGet, Path: strings.SplitN(path, "?", 2)[0], Url: path})
	if err != nil {
		c.t.Fatal(err)
	}
	res, err := s.Recv()
	if err != nil {
		c.t.Fatalf("%s: %v", path, err)
	}
	if err := json.Unmarshal(res.Body, into); err != nil && res.Code == http.StatusOK {
		c.t.Fatalf("%s answers %q: %v", path, res.Body, err)
	}
	return res.Code, string(res.Body)
}

// panel is one live panel: what it was told last, and every frame.
type panel struct {
	t      *testing.T
	frames chan *data.Frame
	close  func()
}

// follow asks for the past of a live panel, subscribes to where it goes on, and
// runs the stream.
func (c *configured) follow(query string) *panel {
	c.t.Helper()
	frames := c.must(query, "", lately(5*time.Minute))
	var custom struct {
		Live live.Address `json:"live"`
	}
	raw, _ := json.Marshal(frames[0].Meta.Custom)
	if err := json.Unmarshal(raw, &custom); err != nil || custom.Live.Path == "" {
		c.t.Fatalf("no address of the stream in %s", raw)
	}
	return c.run(custom.Live)
}

func (c *configured) run(a live.Address) *panel {
	c.t.Helper()
	body, _ := json.Marshal(a.Data)
	sub, err := c.stream.SubscribeStream(c.t.Context(), &pluginv2.SubscribeStreamRequest{PluginContext: c.context, Path: a.Path, Data: body})
	if err != nil || sub.Status != pluginv2.SubscribeStreamResponse_OK {
		c.t.Fatalf("subscribe: %v, %v", sub, err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(c.t.Context()))
	s, err := c.stream.RunStream(ctx, &pluginv2.RunStreamRequest{PluginContext: c.context, Path: a.Path, Data: body})
	if err != nil {
		cancel()
		c.t.Fatal("run the stream: ", err)
	}
	p := &panel{t: c.t, frames: make(chan *data.Frame, 10_000)}
	var reading sync.WaitGroup
	reading.Go(func() {
		for {
			packet, err := s.Recv()
			if err != nil {
				return
			}
			f := new(data.Frame)
			if err := json.Unmarshal(packet.Data, f); err != nil {
				c.t.Errorf("packet %s: %v", packet.Data, err)
				return
			}
			p.frames <- f
		}
	})
	p.close = sync.OnceFunc(func() { cancel(); reading.Wait() })
	c.t.Cleanup(p.close)
	return p
}

// limit of every wait: generous, since the machine may be slow.
const limit = 60 * time.Second

// until waits for a frame that is as wanted.
func (p *panel) until(what string, wanted func(*data.Frame) bool) *data.Frame {
	p.t.Helper()
	deadline := time.After(limit)
	var last *data.Frame
	for {
		select {
		case f := <-p.frames:
			if last = f; wanted(f) {
				return f
			}
		case <-deadline:
			p.t.Fatalf("%s: no such frame within %v; the last was %s", what, limit, show(last))
		}
	}
}

func show(f *data.Frame) string {
	if f == nil {
		return "none"
	}
	raw, _ := data.FrameToJSON(f, data.IncludeAll)
	return string(raw)
}

// says tells whether a frame carries an error with a text.
func says(text string) func(*data.Frame) bool {
	return func(f *data.Frame) bool {
		return f.Meta != nil && len(f.Meta.Notices) == 1 && f.Meta.Notices[0].Severity == data.NoticeSeverityError && strings.Contains(f.Meta.Notices[0].Text, text)
	}
}

// shows tells whether a frame's only series has a value at last, and no trouble.
func shows(value float64) func(*data.Frame) bool {
	return func(f *data.Frame) bool {
		return len(f.Meta.Notices) == 0 && len(f.Fields) > 1 && f.Rows() > 0 && number(f.Fields[1], f.Rows()-1) == value
	}
}

func number(f *data.Field, row int) float64 {
	v, err := f.NullableFloatAt(row)
	if err != nil || v == nil {
		return -1
	}
	return *v
}
