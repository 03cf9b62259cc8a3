package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/translog"
	"github.com/cloudopsec/opsec/audit/translog/tile"
)

// serve lets programs of this machine report events by POST /events, and read the log as tlog-tiles. Whoever can
// connect is let in, so it listens on a loopback address alone; your own authentication takes the place of that.
func serve(ctx context.Context, flags *flag.FlagSet, parse func() error) error {
	h := homeOf(flags)
	addr := flags.String("addr", "127.0.0.1:8473", "loopback `address` to listen on; port 0 takes a free one")
	if err := parse(); err != nil {
		return err
	}
	tcp, err := net.ResolveTCPAddr("tcp", *addr)
	if err != nil {
		return err
	}
	if !tcp.IP.IsLoopback() {
		return fmt.Errorf("serve: %s is no loopback address: everybody could write to the log", *addr)
	}
	return h.use(ctx, func(ctx context.Context, log *translog.Log) error {
		listener, err := net.ListenTCP("tcp", tcp)
		if err != nil {
			return err
		}
		defer listener.Close()
		handler, err := newHandler(log, listener.Addr().String())
		if err != nil {
			return err
		}
		url := "http://" + listener.Addr().String()
		if err := h.print(map[string]string{"url": url}, "%s", url); err != nil {
			return err
		}
		server := &http.Server{Handler: handler, ReadTimeout: time.Minute, IdleTimeout: time.Minute}
		ended := make(chan error, 1)
		go func() {
			<-ctx.Done()
			soon, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			defer cancel()
			ended <- server.Shutdown(soon)
		}()
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return <-ended
	})
}

// maxPosted is how many bytes of events come at a time.
const maxPosted = 8 << 20

func newHandler(log *translog.Log, host string) (http.Handler, error) {
	tiles, err := log.Handler(tile.HandlerOptions{InsecureEntries: true}) // to this machine, as all else
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", tiles)
	mux.HandleFunc("POST /events", func(w http.ResponseWriter, r *http.Request) {
		events, err := parseEvents(http.MaxBytesReader(w, r.Body, maxPosted))
		list := []translog.Receipt{}
		if err == nil {
			list, err = appendAll(r.Context(), log, events)
		}
		w.Header().Set("Content-Type", "application/json")
		if err != nil { // the receipts given are good; the rest may be sent again
			w.WriteHeader(status(err))
			json.NewEncoder(w).Encode(map[string]any{"error": err.Error(), "receipts": list})
			return
		}
		json.NewEncoder(w).Encode(list)
	})
	own := http.NewCrossOriginProtection().Handler(mux)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != host { // a page in a browser of this machine, under a name that leads here
			http.Error(w, "this is "+host, http.StatusForbidden)
			return
		}
		own.ServeHTTP(w, r)
	}), nil
}

func status(err error) int {
	switch {
	case errors.Is(err, opsec.ErrInvalid):
		return http.StatusBadRequest
	case errors.Is(err, translog.ErrUnavailable):
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}
