package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/jackc/pgx/v4"
	"github.com/jackc/pgx/v4/pgxpool"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == "vectors" {
		vectors()
		return
	}
	ctx := context.Background()
	signer, err := NewSigner(os.Getenv("SHOP_CONTEXT_KEY"))
	check(err)
	pool, err := pgxpool.Connect(ctx, os.Getenv("DATABASE_URL"))
	check(err)
	defer pool.Close()
	check(signer.InTransaction(ctx, pool, Actor{UserID: "taro", ClientIP: "203.0.113.9"}, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, "insert into public.orders (item) values ('go')"); err != nil {
			return err
		}
		who := make([]*string, 2)
		row := tx.QueryRow(ctx, "select akashi_auth.context_application(), akashi_auth.context_user()")
		if err := row.Scan(&who[0], &who[1]); err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(who)
	}))
}

func vectors() {
	signer, err := NewSigner("akctx_shop-1_" + strings.Repeat("42", 32))
	check(err)
	for _, vector := range []struct {
		actor    Actor
		audience string
	}{
		{Actor{UserID: "山田 太郎 <taro@example.jp>", SessionID: "s/1", ClientIP: "203.0.113.9", RequestID: "r-1",
			APIEndpoint: "POST /orders", ApplicationVersion: "1.2.3"}, "shop/shop_app/0002b2d8c6a5f640"},
		{Actor{UserID: "42"}, `"My Shop"/shop_app/0002b2d8c6a5f640`},
	} {
		values, err := signer.Values(vector.actor, 1700000030, vector.audience)
		check(err)
		fmt.Println(values[13])
	}
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
