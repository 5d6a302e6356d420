# -*- coding: utf-8 -*-
import os
from alibabacloud_fc_open20210406.client import Client
from alibabacloud_tea_openapi import models as open_api_models
# Load credentials from environment variables.
# Avoid hardcoding AccessKey credentials in project code.
# In Function Compute runtimes, these variables are set automatically
# after you configure execution permissions.
ak = os.getenv('ALIBABA_CLOUD_ACCESS_KEY_ID')
sk = os.getenv('ALIBABA_CLOUD_ACCESS_KEY_SECRET')
url = os.getenv('url')
client = Client(config=open_api_models.Config(
access_key_id=ak,
access_key_secret=sk,
region_id='cn-hangzhou'
))
resp = client.invoke_httptrigger(
url=url,
method="GET",
body="anything".encode(encoding='utf-8'),
headers={"k1": "v1", "k2": "v2"}
)
