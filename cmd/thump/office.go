package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"

	"thump/broker"
	"thump/broker/definitions"
	"thump/internal/authority"
	"thump/internal/bus"
	"thump/internal/enrolment"
	"thump/internal/telemetry"
)

// brokerVHost is the virtual host of the built-in broker that the pipeline uses.
const brokerVHost = "/"

// openOffice opens what lets hosts in to the broker of this process.
func openOffice(p *program, b *broker.Broker) error {
	vouching, err := p.openAuthority()
	if err != nil {
		return err
	}
	pin, err := pinOf(&p.cfg, vouching)
	if err != nil {
		return err
	}
	log := p.log.With("part", "enrolment")
	link, err := bus.Open(bus.Config{URLs: []string{p.brokerURL}}, bus.Options{
		Name: "thump-enrolment", Topology: telemetry.Topology(), Logger: log, Registerer: p.reg,
	})
	if err != nil {
		return err
	}
	p.buses = append(p.buses, link)
	p.stage("bus of enrolment", link.Run)
	o, err := enrolment.New(enrolment.Config{
		DataDir: p.folder("enrolment"), Socket: enrolment.SocketIn(p.cfg.Process.DataDir),
		Server: agentURL(&p.cfg, b), Pin: pin, VHost: brokerVHost,
	}, enrolment.Deps{
		Bus: link, Accounts: builtInAccounts{b.Definitions()}, CommandKey: vouching.CommandKey(),
		Logger: log, Registerer: p.reg,
	})
	if err != nil {
		return err
	}
	p.stage("enrolment", o.Run)
	return nil
}

// pinOf is the pin of whom agents are to trust: the last that the certificate's
// file names, or else the authority.
func pinOf(cfg *Config, a *authority.Authority) (string, error) {
	file := cfg.Broker.TLS.Cert
	if file == "" {
		return a.Pin(), nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read certificate: %w", err)
	}
	certs, err := authority.ParseCertificates(text)
	if err != nil {
		return "", fmt.Errorf("read certificate %s: %w", file, err)
	}
	return authority.Pin(certs[len(certs)-1]), nil
}

// agentURL is where agents reach the broker, "" if it does not listen for TLS.
func agentURL(cfg *Config, b *broker.Broker) string {
	addrs := b.Addrs()[len(cfg.Broker.AMQP):] // those for TLS come last
	if len(addrs) == 0 {
		return ""
	}
	addr, ok := addrs[0].(*net.TCPAddr)
	if !ok {
		return ""
	}
	host := addr.IP.String()
	if addr.IP.IsUnspecified() {
		host = "localhost"
		if name, err := os.Hostname(); err == nil {
			host = name
		}
	}
	if len(cfg.Authority.Names) > 0 {
		host = cfg.Authority.Names[0]
	}
	return "amqps://" + net.JoinHostPort(host, strconv.Itoa(addr.Port))
}

// builtInAccounts are the logins of the built-in broker.
type builtInAccounts struct{ defs *definitions.Store }

// Put implements enrolment.Accounts. The rights come first taken, then given: at no
// time has the login more than it should.
func (a builtInAccounts) Put(user, password string, r enrolment.Rights) error {
	u := definitions.User{Name: user, Tags: []string{}}
	if password != "" {
		u.PasswordHash = definitions.HashPassword(password)
	}
	return errors.Join(
		a.defs.PutUser(u),
		a.defs.SetTopicPermission(brokerVHost, definitions.TopicPermission{
			User: user, Exchange: telemetry.ControlExchange, Write: nothing, Read: orNothing(r.ControlKeys),
		}),
		a.defs.SetPermission(brokerVHost, definitions.Permission{User: user, Configure: r.Configure, Write: r.Write, Read: r.Read}),
	)
}

// nothing is an expression that no routing key matches. An empty one matches all.
const nothing = `^\b$`

func orNothing(expression string) string {
	if expression == "" {
		return nothing
	}
	return expression
}

// Delete implements enrolment.Accounts.
func (a builtInAccounts) Delete(user string) error {
	if err := a.defs.DeleteUser(user); err != nil && !errors.Is(err, definitions.ErrNotFound) {
		return err
	}
	return nil
}
