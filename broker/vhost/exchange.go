package vhost

import (
	"sync/atomic"

	"thump/broker/amqp"
)

// ExchangeSpec is an exchange as it is declared.
type ExchangeSpec struct {
	Name, Type string
	Durable    bool
	AutoDelete bool
	Internal   bool // only bindings may feed it
	Passive    bool // only check that it exists
	Args       amqp.Table
}

// exchangeArguments are those that enter the equivalence of a redeclare.
var exchangeArguments = []string{"alternate-exchange"}

// exchange routes messages. What it routes by is replaced as a whole.
type exchange struct {
	spec ExchangeSpec // static

	matcher   atomic.Pointer[matcher] // replaced under VHost.mu
	alternate atomic.Pointer[string]  // where a message goes that matches nothing; "": nowhere
	policy    string                  // that applies; guarded by VHost.mu

	published atomic.Uint64 // messages that came in
	routed    atomic.Uint64 // of these, into at least one queue

	outbound map[string]*binding   // by identity; guarded by VHost.mu
	inbound  map[*binding]struct{} // guarded by VHost.mu
}

func newExchange(spec ExchangeSpec, m matcher) *exchange {
	x := &exchange{
		spec:     spec,
		outbound: make(map[string]*binding),
		inbound:  make(map[*binding]struct{}),
	}
	x.apply(policies{})
	x.matcher.Store(&m)
	return x
}

// IsTopic says whether there is a topic exchange of this name.
func (v *VHost) IsTopic(name string) bool {
	x, ok := v.exchanges.Load().get(name)
	return ok && x.spec.Type == "topic"
}

// match returns where a message goes from here.
func (x *exchange) match(m *Message) *destinations {
	return (*x.matcher.Load()).match(m.Key, m.Header)
}

// attach adds a binding. VHost.mu must be held.
func (x *exchange) attach(b *binding) {
	x.outbound[b.id] = b
	b.inbound()[b] = struct{}{}
	m := (*x.matcher.Load()).with(b)
	x.matcher.Store(&m)
}

// detach removes a binding. VHost.mu must be held.
func (x *exchange) detach(b *binding) {
	delete(x.outbound, b.id)
	delete(b.inbound(), b)
	m := (*x.matcher.Load()).without(b)
	x.matcher.Store(&m)
}

// assertEquivalent checks a redeclare as RabbitMQ does.
func (x *exchange) assertEquivalent(what string, spec ExchangeSpec) error {
	if err := assertSame(what, "type", spec.Type, x.spec.Type); err != nil {
		return err
	}
	if err := assertSame(what, "durable", spec.Durable, x.spec.Durable); err != nil {
		return err
	}
	if err := assertSame(what, "auto_delete", spec.AutoDelete, x.spec.AutoDelete); err != nil {
		return err
	}
	if err := assertSame(what, "internal", spec.Internal, x.spec.Internal); err != nil {
		return err
	}
	return assertSameArguments(what, exchangeArguments, spec.Args, x.spec.Args)
}
