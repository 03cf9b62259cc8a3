package translog

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog/entry"
	"github.com/cloudopsec/opsec/audit/translog/export"
	"github.com/cloudopsec/opsec/audit/translog/statement"
)

// Statement returns the statement of all events of the tenant that are committed, this read among them: it is one,
// authorised and on record like any other. It has an epoch made, and waits for the checkpoint after that, as long as ctx
// allows.
func (v *View) Statement(ctx context.Context, tenant opsec.TenantID) (*statement.Statement, error) {
	if tenant == "" {
		return nil, invalid("statement: no tenant")
	}
	if err := v.permit(ctx, Query{Tenant: tenant}); err != nil {
		return nil, err
	}
	return v.log.statement(ctx, tenant)
}

func (l *Log) statement(ctx context.Context, tenant opsec.TenantID) (*statement.Statement, error) {
	handles, err := l.opts.Keys.Find(ctx, entry.Subject{Tenant: tenant})
	if err != nil || len(handles) == 0 {
		return nil, fmt.Errorf("translog: tenant %s: %w", tenant, errors.Join(err, opsec.ErrNotFound))
	}
	tag := handles[0]
	last, err := l.bindNow(ctx, tag)
	if err != nil {
		return nil, err
	}
	head, ok, err := last.path.Verify(last.Heads, tag)
	if err != nil {
		return nil, fmt.Errorf("translog: %w", err)
	}
	if !ok {
		return nil, fmt.Errorf("translog: tenant %s has no events at the latest epoch: %w", tenant, opsec.ErrNotFound)
	}
	leaf, err := last.Leaf.Append(nil)
	if err != nil {
		return nil, fmt.Errorf("translog: %w", err)
	}
	proof, err := l.Prove(ctx, last.Index)
	if err != nil {
		return nil, err
	}
	return &statement.Statement{
		Origin: l.Origin(), Tenant: tag, Events: head.Seq, Last: head.Leaf, Epoch: leaf, Index: last.Index,
		Path: last.path.AppendTo(nil), Inclusion: proof.Hashes, Checkpoint: proof.Checkpoint,
	}, nil
}

// Export writes all events of a tenant as the profile shows them, so that they can be verified
// on another machine, without the log and without keys: a line with the [statement.Statement], then a line for each event in the
// given form. [statement.Read] reads it. It is one read, on record.
func (v *View) Export(ctx context.Context, w io.Writer, tenant opsec.TenantID, form export.Form, p export.Policy) (*statement.Statement, error) {
	p.Origin = v.log.Origin()
	x, err := export.New(p)
	if err != nil {
		return nil, err
	}
	s, err := v.Statement(ctx, tenant)
	if err != nil {
		return nil, err
	}
	out := bufio.NewWriterSize(w, 1<<16)
	head, err := json.Marshal(statement.Head{Statement: s, Policy: p})
	if err != nil {
		return nil, err
	}
	out.Write(append(head, '\n'))
	search := &search{view: v, query: Query{Tenant: tenant}, tenants: []entry.Handle{s.Tenant}, size: s.Index}
	search.under, err = v.log.await(ctx, s.Index)
	if err == nil {
		search.tree, err = v.log.tree(search.under)
	}
	if err != nil {
		return nil, err
	}
	var chain statement.Chain
	var line []byte
	for e, err := range search.entries(ctx) {
		if err != nil {
			return nil, err
		}
		if _, err := chain.Add(e.Leaf); err != nil {
			return nil, err // the index has left something out
		}
		if line, err = x.Append(line[:0], form, &e.Record); err != nil {
			return nil, err
		}
		if _, err := out.Write(append(line, '\n')); err != nil {
			return nil, err
		}
	}
	if err := chain.Complete(s); err != nil {
		return nil, err
	}
	return s, out.Flush()
}
