"""NIC on a backbone's features: linear image embedding, one-layer LSTM, trained on train2014 and scored on val2014.

Paper (CutMix, ICCV 2019, supplement, Table A1): CIDEr 71.2 with the baseline backbone, 77.6 with CutMix.
Run: python -m captioning train (see `snakemake -n -p`). Everything a user may change comes from the YAML.
"""

model = dict(type="NIC")
train_dataloader = dict(
    dataset=dict(type="CaptionTrain"), sampler=dict(type="ResumableSampler"), collate_fn=dict(type="caption_batch")
)
val_dataloader = dict(
    dataset=dict(type="CaptionTest"),
    sampler=dict(type="DefaultSampler", shuffle=False),
    collate_fn=dict(type="caption_batch"),
)
val_evaluator = dict(type="CaptionMetric")
optim_wrapper = dict(optimizer=dict(type="Adam", fused=True))
