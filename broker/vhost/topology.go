package vhost

import (
	"errors"
	"fmt"
	"strings"

	"thump/broker/amqp"
)

// Changes of the topology: exchanges and bindings. Each is in the definitions,
// on disk, before the caller hears of it. The methods in lower case expect
// VHost.mu to be held.

// DeclareExchange creates an exchange, or checks that it is there and equivalent.
func (v *VHost) DeclareExchange(spec ExchangeSpec) error {
	spec.Name = cleanName(spec.Name)
	if spec.Name == "" {
		return errDefaultExchange()
	}
	if spec.Passive {
		_, err := v.exchange(spec.Name)
		return err
	}
	m, err := matcherFor(spec)
	if err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if x, ok := v.exchanges.Load().get(spec.Name); ok {
		return x.assertEquivalent(v.text("exchange", spec.Name), spec)
	}
	if err := assertFreeName("exchange", spec.Name); err != nil {
		return err
	}
	if err := checkAlternate(v.text("exchange", spec.Name), spec.Args); err != nil {
		return err
	}
	if spec.Durable {
		if err := v.defs.PutExchange(spec); err != nil {
			return fmt.Errorf("store exchange: %w", err)
		}
	}
	v.addExchange(newExchange(spec, m))
	return nil
}

func errDefaultExchange() error {
	return amqp.ChannelError(amqp.AccessRefused, "operation not permitted on the default exchange")
}

func checkAlternate(what string, args amqp.Table) error {
	if name, given := args["alternate-exchange"]; given {
		return checkExchangeName(what, "alternate-exchange", name)
	}
	return nil
}

// DeleteExchange removes an exchange with its bindings. One that is missing is
// not an error.
func (v *VHost) DeleteExchange(name string, ifUnused bool) error {
	name = cleanName(name)
	if name == "" {
		return errDefaultExchange()
	}
	if strings.HasPrefix(name, "amq.") {
		return amqp.ChannelError(amqp.AccessRefused, "deletion of system %s not allowed", v.text("exchange", name))
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	x, ok := v.exchanges.Load().get(name)
	if !ok {
		return nil
	}
	if ifUnused && len(x.outbound) > 0 {
		return amqp.ChannelError(amqp.PreconditionFailed, "%s in use", v.text("exchange", name))
	}
	return v.deleteExchange(x)
}

func (v *VHost) deleteExchange(x *exchange) error {
	if x.spec.Durable {
		if err := v.defs.DeleteExchange(x.spec.Name); err != nil {
			return fmt.Errorf("delete stored exchange: %w", err)
		}
	}
	m := v.exchanges.Load().without(x.spec.Name)
	v.exchanges.Store(&m)
	for _, b := range x.outbound {
		x.detach(b)
	}
	return v.detachAll(x.inbound)
}

// detachAll removes the bindings to a destination that is gone, and with them
// the auto-delete exchanges that have no other.
func (v *VHost) detachAll(inbound map[*binding]struct{}) error {
	var errs error
	for b := range inbound {
		b.source.detach(b)
		errs = errors.Join(errs, v.reap(b.source))
	}
	return errs
}

// reap deletes an auto-delete exchange that lost its last binding.
func (v *VHost) reap(x *exchange) error {
	if !x.spec.AutoDelete || len(x.outbound) > 0 {
		return nil
	}
	if now, ok := v.exchanges.Load().get(x.spec.Name); !ok || now != x {
		return nil // gone already: exchanges may be bound in a circle
	}
	return v.deleteExchange(x)
}

// BindQueue makes messages of an exchange flow to a queue.
func (v *VHost) BindQueue(queue, source, key string, args amqp.Table, o *Owner) error {
	return v.bind(BindingSpec{Source: source, Destination: queue, Key: key, Args: args}, o)
}

// BindExchange makes messages of the exchange source flow to the exchange
// destination. RabbitMQ extension.
func (v *VHost) BindExchange(destination, source, key string, args amqp.Table) error {
	if destination == "" {
		return errDefaultExchange()
	}
	return v.bind(BindingSpec{Source: source, Destination: destination, ToExchange: true, Key: key, Args: args}, nil)
}

func (v *VHost) bind(spec BindingSpec, o *Owner) error {
	if spec.Source == "" {
		return errDefaultExchange()
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	b, err := v.newBinding(spec, o)
	if err != nil {
		return err
	}
	if _, exists := b.source.outbound[b.id]; exists {
		return nil
	}
	if b.durable() {
		if err := v.defs.PutBinding(spec); err != nil {
			return fmt.Errorf("store binding: %w", err)
		}
	}
	b.source.attach(b)
	return nil
}

// newBinding finds both ends of a binding that a connection asks for.
func (v *VHost) newBinding(spec BindingSpec, o *Owner) (*binding, error) {
	b := &binding{spec: spec, id: spec.identity()}
	var err error
	if spec.ToExchange {
		b.exchange, err = v.exchange(spec.Destination)
	} else {
		b.queue, err = v.queueFor(spec.Destination, o)
	}
	if err != nil {
		return nil, err
	}
	if b.source, err = v.exchange(spec.Source); err != nil {
		return nil, err
	}
	switch b.source.spec.Type {
	case "headers":
		b.headers, err = parseHeaderPattern(spec.Args)
	case consistentHash:
		err = checkHashKey(spec.Key)
	}
	return b, err
}

// UnbindQueue removes a binding. One that is missing is not an error.
func (v *VHost) UnbindQueue(queue, source, key string, args amqp.Table, o *Owner) error {
	if q, ok := v.queues.Load().get(queue); ok && q.owner != nil && q.owner != o {
		return v.locked(q)
	}
	return v.unbind(BindingSpec{Source: source, Destination: queue, Key: key, Args: args})
}

// UnbindExchange removes a binding between exchanges. One that is missing is not
// an error.
func (v *VHost) UnbindExchange(destination, source, key string, args amqp.Table) error {
	return v.unbind(BindingSpec{Source: source, Destination: destination, ToExchange: true, Key: key, Args: args})
}

func (v *VHost) unbind(spec BindingSpec) error {
	if spec.Source == "" {
		return errDefaultExchange()
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	x, ok := v.exchanges.Load().get(spec.Source)
	if !ok {
		return nil
	}
	b, ok := x.outbound[spec.identity()]
	if !ok {
		return nil
	}
	if b.durable() {
		if err := v.defs.DeleteBinding(b.spec); err != nil {
			return fmt.Errorf("delete stored binding: %w", err)
		}
	}
	x.detach(b)
	return v.reap(x)
}
