package localaws_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/jackc/pgx/v5"

	"github.com/shardmill/shardmill/localaws"
)

// A warehouse that a client of PostgreSQL loads by COPY from the local S3.
func ExampleStack_Warehouse() {
	ctx := context.Background()
	stack, err := localaws.New(localaws.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stack.Close()
	const role = "arn:aws:iam::000000000000:role/loader"
	warehouse := stack.Warehouse()
	warehouse.AttachRole(role)
	if err = warehouse.CreateTable("public.events", "id bigint not null", "name varchar(20)"); err != nil {
		fmt.Println(err)
		return
	}
	store := s3.NewFromConfig(stack.AWSConfig())
	for key, body := range map[string]string{
		"2016/02/25/13/orders": `{"id":1,"name":"a"}{"id":2,"name":"b"}`,
		"manifests/1":          `{"entries":[{"url":"s3://staging/2016/02/25/13/orders","mandatory":true}]}`,
	} {
		if _, err = store.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String("staging"), Key: &key, Body: strings.NewReader(body)}); err != nil {
			fmt.Println(err)
			return
		}
	}

	address, err := warehouse.Addr()
	if err != nil {
		fmt.Println(err)
		return
	}
	user, password, database := warehouse.Login()
	config, err := pgx.ParseConfig("postgres://" + user + ":" + password + "@" + address + "/" + database + "?sslmode=disable")
	if err != nil {
		fmt.Println(err)
		return
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol // Redshift's own drivers use it, too
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = conn.Close(ctx) }() // the example is over
	_, err = conn.Exec(ctx, "COPY public.events FROM 's3://staging/manifests/1' CREDENTIALS 'aws_iam_role="+role+"' MANIFEST JSON 'auto'")
	if err != nil {
		fmt.Println(err)
		return
	}
	var count int64
	var name string
	if err = conn.QueryRow(ctx, "SELECT count(*), max(name) FROM public.events WHERE id IN ($1, $2)", 1, 2).Scan(&count, &name); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(count, name)
	// Output: 2 b
}
