package lambdatransform_test

import (
	"context"
	"log"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/shardmill/shardmill/processors/lambdatransform"
)

// A version or an alias of a function is part of its ARN.
func ExampleNew() {
	ctx := context.Background()
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		log.Fatal(err)
	}
	f, err := lambdatransform.New(lambda.NewFromConfig(cfg), lambdatransform.Options{
		FunctionARN: "arn:aws:lambda:us-east-1:123456789012:function:orders:live",
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := f.Check(ctx); err != nil { // as whoever runs this, without an invocation
		log.Fatal(err)
	}
	// f is what processors.Transform names as its Function.
}
