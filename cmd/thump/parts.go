package main

import (
	"cmp"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"

	"thump/agent"
	"thump/alerting"
	"thump/broker"
	"thump/broker/management"
	"thump/collector"
	"thump/dashboard"
	"thump/internal/bus"
	"thump/internal/process"
	"thump/internal/telemetry"
)

// up opens everything. Who keeps is opened before who writes, since parts end
// in the opposite order.
func up(p *program) error {
	if len(p.cfg.Bus.URLs) == 0 {
		if err := openBroker(p); err != nil {
			return err
		}
	}
	history, err := openCollector(p)
	if err != nil {
		return err
	}
	alerts, err := openAlerting(p)
	if err != nil {
		return err
	}
	if err := openDashboard(p, history, alerts); err != nil {
		return err
	}
	if err := p.serveHTTP(); err != nil {
		return err
	}
	return openAgent(p)
}

func brokerOnly(p *program) error {
	if err := openBroker(p); err != nil {
		return err
	}
	return p.serveHTTP()
}

func collectorOnly(p *program) error {
	h, err := openCollector(p)
	if err != nil {
		return err
	}
	p.mux.Handle("/", h)
	return p.serveHTTP()
}

func alertingOnly(p *program) error {
	h, err := openAlerting(p)
	if err != nil {
		return err
	}
	p.mux.Handle("/", h)
	return p.serveHTTP()
}

// dashboardOnly shows what a collector and an alerting elsewhere answer.
func dashboardOnly(p *program) error {
	history, err := proxy(p.cfg.Dashboard.Collector, "collector")
	if err != nil {
		return err
	}
	alerts, err := proxy(p.cfg.Dashboard.Alerting, "alerting")
	if err != nil {
		return err
	}
	if err := openDashboard(p, history, alerts); err != nil {
		return err
	}
	return p.serveHTTP()
}

func agentOnly(p *program) error { return openAgent(p) }

func proxy(raw, flag string) (http.Handler, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return nil, fmt.Errorf("a dashboard on its own needs --%s URL, for example --%s http://127.0.0.1:8421 (got %q)", flag, flag, raw)
	}
	return httputil.NewSingleHostReverseProxy(u), nil
}

func openBroker(p *program) error {
	cfg := p.cfg.Broker
	cfg.DataDir = p.folder("broker")
	vouching, err := p.openAuthority()
	if err != nil {
		return err
	}
	b, err := broker.New(cfg, broker.Deps{
		Logger: p.log.With("part", "broker"), Registerer: p.reg, Version: process.Version, Certificate: vouching.Certificate,
	})
	if err != nil {
		return err
	}
	p.brokerURL = "amqp://guest:guest@" + b.Addr().String() + "/"
	p.stage("broker", b.Run)
	p.reloads = append(p.reloads, b.Reload)
	if len(cfg.AMQPS) > 0 { // hosts join over TLS alone
		if err := openOffice(p, b); err != nil {
			return errors.Join(err, b.Close())
		}
	}
	if cfg.Management == "" {
		return nil
	}
	m, err := management.New(management.Config{Address: cfg.Management}, management.Deps{
		Broker: b, Logger: p.log.With("part", "management"), Version: process.Version,
	})
	if err != nil {
		return errors.Join(err, b.Close())
	}
	p.managementURL = "http://guest:guest@" + m.Addr().String()
	p.stage("management", m.Run)
	return nil
}

func openCollector(p *program) (http.Handler, error) {
	var fleets []bus.Topology
	if p.cfg.Collector.Receive.Fleets {
		fleets = append(fleets, telemetry.Fleets())
	}
	link, err := p.openBus("collector", fleets...)
	if err != nil {
		return nil, err
	}
	cfg := p.cfg.Collector
	cfg.DataDir = p.folder("history")
	c, err := collector.New(cfg, collector.Deps{
		Bus: link, Logger: p.log.With("part", "collector"), Registerer: p.reg, CheckTemplate: agent.CheckTemplate,
	})
	if err != nil {
		return nil, err
	}
	p.stage("collector", c.Run)
	p.reloads = append(p.reloads, c.Reload)
	return c.Handler(), nil
}

func openAlerting(p *program) (http.Handler, error) {
	bus, err := p.openBus("alerting", p.cfg.Alerting.Topology())
	if err != nil {
		return nil, err
	}
	cfg := p.cfg.Alerting
	cfg.DataDir = p.folder("alerting")
	a, err := alerting.New(cfg, alerting.Deps{Bus: bus, Logger: p.log.With("part", "alerting"), Registerer: p.reg})
	if err != nil {
		return nil, err
	}
	p.stage("alerting", a.Run)
	p.reloads = append(p.reloads, a.Reload)
	p.mux.Handle("/-/reload", a.Handler())
	return a.Handler(), nil
}

func openDashboard(p *program, history, alerts http.Handler) error {
	bus, err := p.openBus("dashboard")
	if err != nil {
		return err
	}
	cfg := p.cfg.Dashboard
	cfg.ManagementURL = cmp.Or(cfg.ManagementURL, p.managementURL)
	d, err := dashboard.New(cfg, dashboard.Deps{
		Bus: bus, Collector: history, Alerting: alerts, Logger: p.log.With("part", "dashboard"), Registerer: p.reg,
	})
	if err != nil {
		return err
	}
	p.stage("dashboard", d.Run)
	p.mux.Handle("/", d.Handler())
	return nil
}

func openAgent(p *program) error {
	bus, err := p.openBus("agent")
	if err != nil {
		return err
	}
	cfg := p.cfg.Agent
	cfg.DataDir = p.folder("agent")
	if p.authority != nil && cfg.Commands.Key == "" { // the agent beside its server need not join
		cfg.Commands.Key = base64.StdEncoding.EncodeToString(p.authority.CommandKey().Public().(ed25519.PublicKey))
	}
	a, err := agent.New(cfg, agent.Deps{Bus: bus, Logger: p.log.With("part", "agent"), Registerer: p.reg, Version: process.Version})
	if err != nil {
		return err
	}
	p.stage("agent", a.Run)
	return nil
}
