package main

// Signs who acts in each transaction: docs/request-context.md.

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v4"
	"github.com/jackc/pgx/v4/pgxpool"
)

const lifetime = 30 * time.Second

// Actor is who acts and where the request comes from; what is empty is not said.
type Actor struct {
	UserID, SessionID, Subject, ClientIP, UserAgent, RequestID, TraceID, CorrelationID string
	APIEndpoint, ApplicationVersion, TenantID                                          string
}

type field struct {
	label   string
	name    bool
	longest int
}

var fields = []field{
	{"user id", true, 255}, {"session id", true, 255}, {"subject", true, 255},
	{"client address", false, 64}, {"user agent", false, 512}, {"request id", false, 128},
	{"trace id", false, 128}, {"correlation id", false, 128}, {"endpoint", false, 512},
	{"application version", false, 128}, {"tenant id", true, 128},
}

var control = regexp.MustCompile("[\x00-\x1f\x7f]")
var keyText = regexp.MustCompile(`^akctx_([a-z0-9_-]+)_([0-9a-f]{64})$`)

// Signer signs with the key that akashi context-key create printed.
type Signer struct {
	id      string
	secret  []byte
	servers sync.Map
}

type server struct {
	ahead    time.Duration
	audience string
}

func NewSigner(key string) (*Signer, error) {
	match := keyText.FindStringSubmatch(strings.TrimSpace(key))
	if match == nil {
		return nil, fmt.Errorf("the context key is not valid")
	}
	secret, err := hex.DecodeString(match[2])
	return &Signer{id: match[1], secret: secret}, err
}

// Values returns the context as set_context() takes it.
func (s *Signer) Values(a Actor, expires int64, audience string) ([]string, error) {
	given := []string{a.UserID, a.SessionID, a.Subject, a.ClientIP, a.UserAgent, a.RequestID, a.TraceID, a.CorrelationID,
		a.APIEndpoint, a.ApplicationVersion, a.TenantID}
	claims := make([]string, 0, len(fields)+3)
	for index, value := range given {
		fitted, err := fields[index].fit(value)
		if err != nil {
			return nil, err
		}
		claims = append(claims, fitted)
	}
	claims = append(claims, strconv.FormatInt(expires, 10), s.id)
	mac := hmac.New(sha256.New, s.secret)
	mac.Write([]byte("akashi-context/1\x1f" + strings.Join(claims, "\x1f") + "\x1f" + audience))
	return append(claims, hex.EncodeToString(mac.Sum(nil))), nil
}

// A name that does not fit is refused, since a changed one is another; what describes the request is cleaned.
func (f field) fit(value string) (string, error) {
	if f.name {
		if utf8.RuneCountInString(value) > f.longest || !utf8.ValidString(value) || control.MatchString(value) {
			return "", fmt.Errorf("%s of the actor is not valid", f.label)
		}
		return value, nil
	}
	runes := []rune(strings.ToValidUTF8(value, "\ufffd"))
	if len(runes) > f.longest {
		runes = runes[:f.longest]
	}
	return control.ReplaceAllString(string(runes), "\ufffd"), nil
}

// InTransaction runs work in a transaction on behalf of an actor, and commits unless it fails.
func (s *Signer) InTransaction(ctx context.Context, pool *pgxpool.Pool, a Actor, work func(pgx.Tx) error) error {
	return pool.BeginFunc(ctx, func(tx pgx.Tx) error {
		known, err := s.server(ctx, tx)
		if err != nil {
			return err
		}
		values, err := s.Values(a, time.Now().Add(known.ahead).Add(lifetime).Unix(), known.audience)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "select akashi_auth.set_context($1)", values); err != nil {
			// Perhaps it is another server than before; the next transaction looks again.
			s.servers.Delete(tx.Conn())
			return err
		}
		return work(tx)
	})
}

func (s *Signer) server(ctx context.Context, tx pgx.Tx) (server, error) {
	if known, found := s.servers.Load(tx.Conn()); found {
		return known.(server), nil
	}
	var now time.Time
	var known server
	err := tx.QueryRow(ctx, "select clock_timestamp(), akashi_auth.context_audience()").Scan(&now, &known.audience)
	known.ahead = time.Until(now)
	if err == nil {
		s.servers.Store(tx.Conn(), known)
	}
	return known, err
}
