"""Small recipes of the robustness tasks, for drawn images of 48 px."""

SIZES = {"crop_size": 48, "val_resize_size": 48}
RECIPE = {
    **{"batch_size": 5, **SIZES, "fgsm_eps": [1, 2, 8], "pgd_eps": 8, "pgd_step_size": 3, "pgd_steps": 3},
    **{"occlusion_steps": 3, "occlusion_fill": "mean", "mixup_steps": 3, "cutmix_steps": 3},
}
RECIPES = {
    "robustness_imagenet": RECIPE,
    "imagenet_c": {"batch_size": 4, "crop_size": 48},
    "imagenet_r": {"batch_size": 4, **SIZES},
    "imagenet_a": {"batch_size": 4, **SIZES},
}
OOD_RECIPES = {
    "ood_cifar": {"batch_size": 8, **SIZES, "sets": {"paper": ["LSUN", "iSUN", "gaussian"]}, "noise_images": 3},
    "ood_imagenet": {
        **{"batch_size": 8, **SIZES, "noise_images": 5},
        "sets": {"like_it": ["near"], "strange": ["far", "uniform"]},
    },
}
SPECS = {
    "imagenet_c": {"classes": 2, "test": 2, "size": 48, "seed": 0},
    "imagenet_r": {"classes": 3, "test": 7, "size": 48, "seed": 0},
    "imagenet_a": {"classes": 2, "test": 7, "size": 48, "seed": 0},
    "odin": {"classes": 4, "test": 3, "seed": 0},
    "ood_images": {"classes": 4, "test": 5, "size": 48, "seed": 0},
}
